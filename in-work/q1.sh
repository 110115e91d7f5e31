cd /root/runs/t17; export PYTHONPATH=$PWD HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
P="taskset -c 1 /work/main/.venv/bin/python"
for m in pocket.reports.guidance benchmarks.styles pocket.reports.negatives "pocket.reports.limits --count 4"; do
 echo "=== $m $(date +%H:%M:%S)"; $P -m $m 2>&1 | tr '\r' '\n' | grep -v Loading | tail -15; done; echo done $(date +%H:%M:%S)
pkill -CONT -f "m pocket.reports.behaviour"
