"""Old scribble and XL by the strict judge, at their own sides (64 and 128 px)."""
import json, sys
from types import SimpleNamespace
from pathlib import Path
import torch
from pocket.reports import scribble as S, xl as X
from pocket.reports.base import ruler, name_judge
from pocket.ruler import prompts
from pocket.ruler.pictures import draw_shown, sample
from pocket.stages.config import CPU
from pocket.stages.controlnet import place
folder=Path("build/shipped/cpu"); folder.mkdir(parents=True,exist_ok=True)
judge=ruler(CPU,folder)
if "scribble" in sys.argv:
    config=SimpleNamespace(shown=64, wider=1, side=64, mix=CPU.mix)
    pipe=S.load_pipeline(CPU, folder)
    texts, scenes = map(list, zip(*prompts.one_thing(CPU.mix, 128)))
    table=[]
    for where, there in (("in the middle", scenes), ("anywhere",[place(s) for s in scenes])):
        for kind,row in S.measure(pipe,judge,config,texts,there):
            table.append({"things":where,"drawn from":kind,**row}); print(table[-1],flush=True)
    (folder/"scribble.json").write_text(json.dumps({"judge":name_judge(CPU,folder),"table":table}))
if "xl" in sys.argv:
    config=SimpleNamespace(shown=128, wider=1, side=128, mix=CPU.mix)
    base,refiner=X.load_pipelines(folder)
    out={"judge":name_judge(CPU,folder),"sets":{}}
    for name, invent in (("one thing", prompts.one_thing), ("two things", prompts.two_things)):
        texts, scenes = map(list, zip(*invent(CPU.mix,128)))
        true=draw_shown(config,scenes,1)
        ways={"base":sample(base,texts,25,4.0),"base and refiner":X.refine(base,refiner,texts,25,4.0),"true pictures":draw_shown(config,scenes,2)}
        out["sets"][name]={w:X.measure(p,true,judge,scenes) for w,p in ways.items()}
        print(name,json.dumps(out["sets"][name]),flush=True)
    (folder/"xl.json").write_text(json.dumps(out))
