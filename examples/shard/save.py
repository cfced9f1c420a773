"""Saves a model by rank, so that each worker of a tensor-parallel engine reads its own part alone.

    python save.py MODEL OUT RANKS

MODEL is a folder, OUT the folder to make; with the Python that vLLM is installed in. What is
saved fits the same vLLM, dtype and tensor_parallel_size, and load_format sharded_state or
runai_streamer_sharded. docs/streaming.md says how to go on.
"""
import os
import shutil
import sys

from torch.nn.functional import linear
from vllm.model_executor.layers import utils


def keep(layer, remove_weight):
    layer.cpu_linear = linear


# On the CPU vLLM packs weights for its kernels and drops them as they were, so that they would
# not be saved. Workers import this file, too; elsewhere it changes nothing.
utils.dispatch_cpu_unquantized_gemm = keep

weights = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".index.json")


def save(model, out, ranks):
    from vllm import LLM

    llm = LLM(model=model, tensor_parallel_size=int(ranks), enforce_eager=True, max_num_seqs=1, max_model_len=256)
    os.makedirs(out)
    llm.llm_engine.engine_core.save_sharded_state(path=os.path.abspath(out))
    for entry in os.scandir(model):
        if entry.is_file() and not entry.name.endswith(weights):
            shutil.copy(entry.path, out)


if __name__ == "__main__":  # workers are made by importing this file again
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    save(*sys.argv[1:])
