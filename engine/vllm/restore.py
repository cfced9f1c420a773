"""vllm snapshot restore, as a process that lives as long as what it has restored.

Run as `python -c THIS VLLM FOLDER HOST PORT`. vLLM's own command ends once the server runs
again, as nobody's child and under the number that it had when it was dumped. This one then
shows the server's output, passes SIGTERM on, and ends with it.
"""
import os
import select
import signal
import subprocess
import sys

vllm, folder, host, port = sys.argv[1:]
print("spinup snapshot:", folder, flush=True)
restored = subprocess.run([vllm, "snapshot", "restore", folder, "--host", host, "--port", port])
if restored.returncode:
    sys.exit(restored.returncode)
with open(os.path.join(folder, "restored.pid")) as f:
    pid = int(f.read())
server = os.pidfd_open(pid)
signal.signal(signal.SIGTERM, lambda *_: signal.pidfd_send_signal(server, signal.SIGTERM))
output = subprocess.Popen(["tail", "-n", "0", "-f", f"--pid={pid}", os.path.join(folder, "child.log")])
select.select([server], [], [])  # readable when it has ended
output.wait()
