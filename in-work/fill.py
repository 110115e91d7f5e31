import json,sys
d=json.load(open('/root/runs/ship/cpu/enlarge.json')); scenes=int(sys.argv[1])
w=d["world"]; t=w["true_edge_strength"]
s=open('/root/runs/factor.md').read()
s=s.format(latents=f"{100*w['latents']['relative_error']:.1f}%", correlation=f"{w['latents']['correlation']:.4f}", minutes=150, scenes=scenes,
 old_psnr=f"{w['bicubic']['psnr_db']:.1f}", new_psnr=f"{w['large']['psnr_db']:.1f}", old_edges=f"{w['bicubic']['edge_strength']/t:.0%}", new_edges=f"{w['large']['edge_strength']/t:.0%}",
 old_frechet=f"{w['bicubic']['frechet']:.1f}", new_frechet=f"{w['large']['frechet']:.1f}",
 blind="Of 48 pairs of samples, sides shuffled and 300 pixels wide, the vision model that looked preferred the new\ndecoder in 28, the old one in 7, and saw no difference in 13 (`python -m pocket.reports.blind`). We had hoped for 40.")
p="docs/pocket.md"; x=open(p).read()
i=x.find("## Factor 8, and no U-Net"); j=x.index("## The fourth run")
x=(x[:i] if i>=0 else x[:j])+s.strip()+"\n\n"+x[j:]
x=x.replace("{old_object}","87%").replace("{object}","92%").replace("{old_two}","51%").replace("{two}","65%")
open(p,"w").write(x)
