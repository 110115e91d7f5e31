cd /root/runs/t17; export PYTHONPATH=$PWD HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
P="taskset -c 0 /work/main/.venv/bin/python"
while pgrep -f "pocket.reports.scribble" >/dev/null; do sleep 2; done
for m in pocket.reports.refining pocket.reports.pictures_from_pictures benchmarks.steps; do
 echo "=== $m $(date +%H:%M:%S)"; $P -m $m 2>&1 | tr '\r' '\n' | grep -v Loading | tail -15; done; echo done $(date +%H:%M:%S)
