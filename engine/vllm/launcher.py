"""vllm serve in two steps: import first, serve when told what.

Run as `python -c THIS eager|compiled PROGRAM`, PROGRAM being the path of the vllm script,
with the environment of the server. It imports what serving needs, writes one line that begins with
"spinup preload: ", reads one line from its input, and is the server from there on:

    {"argv": ["serve", …], "env": {"NAME": "value", "OTHER": null}}

argv follows the program's name; env is what has changed since the launch, null what is to
be unset. The end of the input ends the process.

On the CPU, engine core and workers become forks of this process, so that nothing is imported
twice; elsewhere they are spawned as vLLM does by itself, since a device that is initialised
does not survive a fork. What is in the way of forks (a variable of the user's, a second
thread when the imports are over) leaves vLLM's own way, too; later threads, as of an exporter
of spans, are forked past as vLLM does where it is told to fork. And where something is not as expected the process
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
  vllm.env_override imports Inductor only to patch torch._inductor.lowering, in a function that
    may be called again and that does nothing where there is no Inductor
  modules say allow_in_graph, assume_constant_result and disable of the compiler, name no more of it
    than what mark_when_imported imports or hides, and use that only for what torch.compile has made
  CpuPlatform.register_triton_kernel_overrides, which each worker calls, changes modules alone
  transformers' import looks through its sources, and through lists and descriptions of all that is installed
  SpinCondition.wait, for a message between core and workers, spins while last_read is less than
    busy_loop_s ago, with each message announced to local_notify_socket, which poller looks at
"""
import os
import sys

eager, program = sys.argv[1] == "eager", sys.argv[2]
sys.argv = [program]
if sys.path[0] == "":  # the working folder; a script has its own there
    sys.path[0] = os.path.dirname(program)

import contextlib
import functools
import gc
import importlib.abc
import importlib.metadata
import importlib.util
import inspect
import json
import multiprocessing
import re
import time
import types

method = "VLLM_WORKER_MULTIPROC_METHOD"
lowering = "torch._inductor.lowering"

# What main imports; what the server would import once the engine is ready; what engine core
# and workers do; what a compiler is.
server = """
vllm.entrypoints.cli.main
vllm.entrypoints.cli.benchmark.main vllm.entrypoints.cli.collect_env vllm.entrypoints.cli.download_kernels
vllm.entrypoints.cli.launch vllm.entrypoints.cli.openai vllm.entrypoints.cli.preload vllm.entrypoints.cli.run_batch
vllm.entrypoints.cli.serve vllm.entrypoints.cli.snapshot
vllm.entrypoints.launchers.api_server.entry vllm.v1.engine.async_llm uvicorn uvloop
""".split()
routes = """
vllm.entrypoints.anthropic.api_router vllm.entrypoints.generate.generative_scoring.api_router
vllm.entrypoints.generate.structured_decisions.api_router vllm.entrypoints.openai.chat_completion.api_router
vllm.entrypoints.openai.completion.api_router vllm.entrypoints.openai.responses.api_router
vllm.entrypoints.scale_out.derender.api_router vllm.entrypoints.scale_out.render.api_router
vllm.entrypoints.serve.profile.api_router vllm.entrypoints.serve.tokenize.api_router
vllm.entrypoints.launchers.run_batch model_hosting_container_standards.sagemaker uvicorn.protocols.websockets.websockets_sansio_impl
""".split()
workers = """
vllm.v1.engine.core vllm.v1.core.sched.scheduler vllm.v1.executor.multiproc_executor vllm.v1.worker.cpu_worker
vllm.model_executor.models.llama vllm.model_executor.model_loader.default_loader
vllm.model_executor.layers.quantization.online.base
""".split()
compiler = """
torch._dynamo torch._inductor.compile_fx
""".split()


def imports():
    """Imports all of it and tells what stands against forks; "" means nothing."""
    gc.disable()  # imports make much and drop little
    around = inspect.getframeinfo.__defaults__
    inspect.getframeinfo.__defaults__ = (0,)  # torch asks it for a place, and not for the lines around
    look_once_at_transformers()
    import_without_inductor()
    ends = [compile_when_called(), mark_when_imported()] if eager else []
    load(server)
    for name in routes:
        with contextlib.suppress(ImportError):  # the server knows what it can do without
            importlib.import_module(name)
    from vllm.platforms import current_platform

    why = obstacle(current_platform)
    if not why:
        load(workers if eager else workers + compiler)
        why = obstacle(current_platform)
    for end in ends:
        end()
    inspect.getframeinfo.__defaults__ = around
    if not why:
        children_are_forks(type(current_platform))
    gc.enable()
    gc.freeze()  # what is here stays, so no collection has to look at it
    return why


def load(names):
    for name in names:
        importlib.import_module(name)


def import_without_inductor():
    """Imports vllm, and has its patch of Inductor wait until somebody imports that."""
    sys.modules["torch._inductor"] = None  # what vLLM takes for: there is none
    try:
        import vllm.env_override as override
    finally:
        del sys.modules["torch._inductor"]
    if not callable(override._patch_inductor_fallback_allow_list):
        raise TypeError("env_override._patch_inductor_fallback_allow_list is no function")

    def patch(module):
        sys.modules["torch._inductor"].lowering = module  # as an import does after this
        override._patch_inductor_fallback_allow_list()

    when_imported(lowering, patch)


def when_imported(module_name, change, prepare=lambda module: None):
    """Calls change with the module that an import of that name makes, before others get it, and
    prepare with it while it is empty."""

    class Once(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name != module_name:
                return None
            sys.meta_path.remove(self)
            spec = importlib.util.find_spec(name)
            run = spec.loader.exec_module

            def run_and_change(module):
                prepare(module)
                run(module)
                change(module)

            spec.loader.exec_module = run_and_change
            return spec

    sys.meta_path.insert(0, Once())


def look_once_at_transformers():
    """Has its import look for what is installed in a fraction of the time, to the same result."""
    distribution, on_disk = importlib.metadata.Distribution, importlib.metadata.PathDistribution
    lines_of, text_of = getattr(distribution, "_read_files_distinfo", None), on_disk.read_text
    if lines_of is None:
        return

    def head(self, filename):
        text = text_of(self, filename)
        return text.partition("\n\n")[0] if text and filename == "METADATA" else text  # without the description

    def few_lines(self):
        # packages_distributions, which is asked of all, wants the first part and the ending of paths.
        kinds = {}
        for line in lines_of(self) or ():
            path = line.partition(",")[0]
            kinds.setdefault((path.partition("/")[0], os.path.splitext(path)[1]), line)
        return list(kinds.values())

    def patch(module):
        distribution._read_files_distinfo, on_disk.read_text = lines_of, text_of
        with contextlib.suppress(AttributeError):  # of another version, which has its own ways
            names_in, structure = module.fetch__all__, module.create_import_structure_from_path.__wrapped__
            # A file is split into lines to find one that begins so.
            module.fetch__all__ = lambda text: names_in(text[text.find("\n__all__") + 1 :])
            # Its own cache is smaller than the number of folders, and they are asked for in turn.
            module.create_import_structure_from_path = functools.cache(structure)

    distribution._read_files_distinfo, on_disk.read_text = few_lines, head
    when_imported("transformers.utils.import_utils", patch)


def compile_when_called():
    """Has decorators of imported functions import the compiler only when such a function is called. Returns
    what ends this."""
    import torch

    compile = torch.compile

    def later(function=None, **how):
        if function is None:
            return lambda function: later(function, **how)
        if not isinstance(function, types.FunctionType):
            return compile(function, **how)

        @functools.cache
        def compiled():
            return compile(function, **how)

        return functools.wraps(function)(lambda *args, **kwargs: compiled()(*args, **kwargs))

    torch.compile = later
    return lambda: setattr(torch, "compile", compile)


def mark_when_imported():
    """Has what the compiler is told of imported functions wait for it, and what is imported do without it.
    Returns what ends this."""
    import torch

    if "torch._dynamo" in sys.modules:
        return lambda: None  # vLLM has imported it for an older torch
    compiler, marks = vars(torch.compiler).copy(), []
    early = types.ModuleType("torch._dynamo")
    early.__getattr__ = lambda name: getattr(importlib.import_module("torch._dynamo"), name)
    for name in ("allow_in_graph", "assume_constant_result"):
        remember = lambda function, name=name: marks.append((name, function)) or function
        setattr(torch.compiler, name, remember)
        setattr(early, name, remember)
    torch.compiler.disable = lambda fn=None, recursive=True, *, reason=None: torch._disable_dynamo(fn, recursive)
    torch._dynamo = early

    def end():
        vars(torch.compiler).update(compiler)
        if vars(torch).get("_dynamo") is early:
            del torch._dynamo

    def mark(dynamo):
        end()  # from here on it is told itself
        for name, function in marks:
            getattr(dynamo, name)(function)

    import_parts("torch._inductor", "custom_graph_pass", "runtime.triton_helpers")
    import_parts("torch._dynamo", "_trace_wrapped_higher_order_op", change=mark)
    name_later("vllm.compilation.decorators", "torch._dynamo.symbolic_convert", "InliningInstructionTranslator")
    return end


def import_parts(package_name, *parts, change=lambda package: None):
    """Imports modules of a package without the package, which gets them when it is imported, if ever."""
    package = importlib.util.module_from_spec(importlib.util.find_spec(package_name))
    empty = set(vars(package))
    sys.modules[package_name] = package
    try:
        load(package_name + "." + part for part in parts)
    finally:
        del sys.modules[package_name]
    found = {name: part for name, part in vars(package).items() if name not in empty}
    when_imported(package_name, change, prepare=lambda package: vars(package).update(found))


def name_later(user_name, module_name, name):
    """Imports a module without another one, a name of which it gets when that is imported, if ever."""
    stand_in = types.ModuleType(module_name)
    setattr(stand_in, name, None)

    def show(user):
        if sys.modules[module_name] is stand_in:
            del sys.modules[module_name]
            when_imported(module_name, lambda module: setattr(user, name, getattr(module, name)))

    when_imported(user_name, show, prepare=lambda user: sys.modules.setdefault(module_name, stand_in))


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
    platform.register_triton_kernel_overrides()
    platform.register_triton_kernel_overrides = classmethod(lambda cls: None)  # done for all of them
    platform.check_and_update_config = classmethod(check_and_fork)
    registry._run_in_subprocess = run_in_fork
    sleep_soon()
    executor = importlib.import_module("vllm.v1.executor.multiproc_executor")
    if scratch := os.environ.get("VLLM_RPC_BASE_PATH"):
        # Where ranks meet is a file that a killed engine leaves.
        executor.get_file_store_init_method = lambda: f"file://{scratch}/vllm_dist_{os.getpid()}"
    os.environ[method] = "fork"
    os.register_at_fork(after_in_child=begin_child)


def sleep_soon():
    """Has who waits for a message spin for some milliseconds, and not for a second after each, as
    others compute on the same processors."""
    condition = importlib.import_module("vllm.distributed.device_communicators.shm_broadcast").SpinCondition
    wait = condition.wait

    def wait_or_sleep(self, timeout_ms=None):
        if not 0.005 < time.monotonic() - self.last_read < self.busy_loop_s:
            wait(self, timeout_ms)
        # What comes wakes it, but for the first message, which may come before it can be announced.
        elif dict(self.poller.poll(10)).get(self.local_notify_socket):
            self.local_notify_socket.recv(copy=False)

    condition.wait = wait_or_sleep


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
    gc.unfreeze = lambda: None  # vLLM calls it when it ends: all imports would be looked at, and copied for that
    if trace := sys.modules.get("opentelemetry.trace"):
        trace._TRACER_PROVIDER, trace._TRACER_PROVIDER_SET_ONCE = None, type(trace._TRACER_PROVIDER_SET_ONCE)()
        from opentelemetry import context

        context.attach(context.Context())  # the span around the fork is another process's: TRACEPARENT tells it
    # Lists as vLLM writes them, and nothing that a user may have written, such as 0-7.
    cores = re.fullmatch(r"\{?(\d+(?:[ ,]\d+)*)\}?", os.environ.get("GOMP_CPU_AFFINITY") or os.environ.get("OMP_PLACES") or "")
    cores = cores or re.search(r"proclist=\[(\d+(?:,\d+)*)\]", os.environ.get("KMP_AFFINITY", ""))
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if cores:
        os.sched_setaffinity(0, map(int, re.findall(r"\d+", cores[1])))
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
