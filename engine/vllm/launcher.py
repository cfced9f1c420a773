"""vllm serve in two steps: import first, serve when told what.

Run as `python -c THIS PROGRAM`, PROGRAM being the path of the vllm script, with the
environment of the server. It imports what serving needs, writes one line that begins with
"spinup preload: ", reads one line from its input, and is the server from there on:

    {"argv": ["serve", …], "env": {"NAME": "value", "OTHER": null}}

argv follows the program's name; env is what has changed since the launch, null what is to
be unset. The end of the input ends the process.

On the CPU, engine core and workers become forks of this process, so that nothing is imported
twice; elsewhere they are spawned as vLLM does by itself, since a device that is initialised
does not survive a fork. What is in the way of forks (a variable of the user's, a second
thread) leaves vLLM's own way, too, and where something is not as expected the process
becomes vLLM as started by hand; the line says which.

Internals that this relies on, as in vLLM 0.32.0:
  vllm.entrypoints.cli.main.main reads sys.argv and imports the modules below
  VLLM_WORKER_MULTIPROC_METHOD is asked for each process that is made
  CpuPlatform.check_and_update_config forces spawn by setting it
  registry._run_in_subprocess runs a function in a process that imports vLLM anew
  a worker's threads are told by OMP_NUM_THREADS and GOMP_CPU_AFFINITY (or OMP_PLACES, or
    KMP_AFFINITY), which a fork comes too late to read
  set_tracer_provider of OpenTelemetry, which each process calls, works once per process, and
    a process takes its first parent from TRACEPARENT where it has no span of its own
  huggingface_hub.constants.HF_HUB_OFFLINE is read from the environment by an import
"""
import os
import sys

program = sys.argv[1]
sys.argv = [program]
if sys.path[0] == "":  # the working folder; a script has its own there
    sys.path[0] = os.path.dirname(program)

import gc
import importlib
import json
import multiprocessing
import re

method = "VLLM_WORKER_MULTIPROC_METHOD"

# What main imports, then what engine core and workers do.
server = """
vllm.entrypoints.cli.main
vllm.entrypoints.cli.benchmark.main vllm.entrypoints.cli.collect_env vllm.entrypoints.cli.download_kernels
vllm.entrypoints.cli.launch vllm.entrypoints.cli.openai vllm.entrypoints.cli.preload vllm.entrypoints.cli.run_batch
vllm.entrypoints.cli.serve vllm.entrypoints.cli.snapshot
vllm.entrypoints.launchers.api_server.entry vllm.v1.engine.async_llm uvicorn uvloop
""".split()
workers = """
vllm.v1.engine.core vllm.v1.executor.multiproc_executor vllm.v1.worker.cpu_worker
vllm.model_executor.models.llama vllm.model_executor.model_loader.default_loader
torch._dynamo torch._inductor.compile_fx
""".split()


def imports():
    """Imports all of it and tells what stands against forks; "" means nothing."""
    gc.disable()  # imports make much and drop little
    for name in server:
        importlib.import_module(name)
    from vllm.platforms import current_platform

    why = obstacle(current_platform)
    if not why:
        for name in workers:
            importlib.import_module(name)
        why = obstacle(current_platform)
    if not why:
        children_are_forks(type(current_platform))
    gc.enable()
    gc.freeze()  # what is here stays, so no collection has to look at it
    return why


def obstacle(platform):
    if not platform.is_cpu():
        return "the platform is " + platform.device_type
    if os.environ.get(method, "fork") != "fork":
        return method + " is set"
    if len(os.listdir("/proc/self/task")) > 1:
        return "there are threads already"
    return ""


def children_are_forks(platform):
    check = platform.check_and_update_config.__func__

    def check_and_fork(cls, config):
        check(cls, config)
        os.environ[method] = "fork"

    registry = importlib.import_module("vllm.model_executor.models.registry")
    if not callable(registry._run_in_subprocess):
        raise TypeError("registry._run_in_subprocess is no function")
    platform.check_and_update_config = classmethod(check_and_fork)
    registry._run_in_subprocess = run_in_fork
    os.environ[method] = "fork"
    os.register_at_fork(after_in_child=begin_child)


def run_in_fork(work):
    """Runs what vLLM would import itself once more for: the description of an architecture."""
    result, told = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=lambda: told.send(work()))
    child.start()
    told.close()
    try:
        return result.recv()
    except EOFError:
        raise RuntimeError("the process that looked at the model's class has failed, see above") from None
    finally:
        child.join()


def begin_child():
    """Does what a new process would do by reading its environment."""
    if trace := sys.modules.get("opentelemetry.trace"):
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, type(trace._TRACER_PROVIDER_SET_ONCE)()
        from opentelemetry import context

        context.attach(context.Context())  # the span around the fork is another process's: TRACEPARENT tells it
    cores = re.findall(r"\d+", os.environ.get("GOMP_CPU_AFFINITY") or os.environ.get("OMP_PLACES") or "")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if cores:
        os.sched_setaffinity(0, map(int, cores))
    if threads.isdigit():
        sys.modules["torch"].set_num_threads(int(threads))


def become(order):
    for name, value in order["env"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    sys.argv = [program, *order["argv"]]


def serve():
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = constants._is_true(os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE"))
    from vllm.entrypoints.cli.main import main

    sys.exit(main())


try:
    why = imports()
    said = "imported; " + (why + ", so workers are spawned" if why else "workers are forked")
except Exception as e:
    said = f"{type(e).__name__}: {e}; vLLM starts when the model is there"
    serve = lambda: os.execv(sys.executable, [sys.executable, *sys.argv])
print("spinup preload:", " ".join(said.split()), flush=True)
line = sys.stdin.buffer.readline()  # UTF-8, whatever the locale
if line:
    become(json.loads(line))
    serve()
