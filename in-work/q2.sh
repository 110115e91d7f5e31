P="/work/main/.venv/bin/python"; export HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
cd /root/runs/oldw; export PYTHONPATH=$PWD; 
for m in scribble xl; do echo "=== old $m $(date +%H:%M:%S)"; taskset -c $1 $P /root/runs/oldmeasure.py $m 2>&1 | tr '\r' '\n' | grep -v Loading | tail -15; done
cd /root/runs/t17; export PYTHONPATH=$PWD
taskset -c $1 $P -m pocket.reports.enlarge --folder /root/runs/ship --scenes 384 2>&1 | tail -60
echo done $(date +%H:%M:%S)
