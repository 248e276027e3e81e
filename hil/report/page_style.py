"""How the bench's page looks: light and dark, a phone and a desk."""

STYLE = """
:root{color-scheme:light dark;--back:#f4f6f8;--card:#fff;--ink:#161b22;--soft:#5d6775;--line:#e2e6eb;--grid:#e9edf1;
--speed:#2463eb;--forward:#0b8f6d;--left:#b8600b;--engine:#6a7688;--good:#0b7a4b;--bad:#c81e3f;--fault:#d11f45;
--on:#fff}
@media(prefers-color-scheme:dark){:root{--back:#0f1318;--card:#181e26;--ink:#e8ecf1;--soft:#98a3b2;--line:#2a323d;
--grid:#262e39;--speed:#6ea0ff;--forward:#3ecfa6;--left:#f0a04b;--engine:#8b98aa;--good:#3ecf8e;--bad:#ff6b86;
--fault:#ff5d7d;--on:#10151b}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1040px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:1.7rem;line-height:1.2;margin:.4rem 0 0;letter-spacing:-.015em}
h2{font-size:1.1rem;margin:30px 0 10px}
p{margin:.3rem 0}.lead{color:var(--soft)}
.verdict{display:inline-block;padding:2px 12px;border-radius:12px;font-weight:700;font-size:.85rem;color:var(--on)}
.verdict.good{background:var(--good)}.verdict.bad{background:var(--bad)}
.facts{display:flex;flex-wrap:wrap;gap:2px 18px;color:var(--soft);font-size:.85rem;margin-top:.5rem}
.facts b{color:var(--ink);font-weight:600}
figure,table,pre{background:var(--card);border:1px solid var(--line);border-radius:14px;margin:0}
figure{padding:12px 16px;margin-top:14px}
figcaption{font-weight:650;font-size:.95rem}
table{border-collapse:separate;border-spacing:0;width:100%;overflow:hidden;font-size:.9rem}
td,th{text-align:left;vertical-align:top;padding:7px 12px;border-top:1px solid var(--line);overflow-wrap:anywhere}
tr:first-child>*{border-top:0}th{font-weight:600}thead th{color:var(--soft);font-size:.78rem;font-weight:500}
td.sign{width:2rem;font-weight:700}.good>.sign{color:var(--good)}.bad>.sign{color:var(--bad)}
.bad>th,.bad>td{background:color-mix(in srgb,var(--bad) 9%,transparent)}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}.narrow td,.narrow th{padding:7px 8px}
.plot{position:relative;height:200px;margin:32px 6px 26px 38px}
.plot svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
svg *{vector-effect:non-scaling-stroke}
polyline{fill:none;stroke:var(--speed);stroke-width:2;stroke-linejoin:round}
polyline.forward{stroke:var(--forward)}polyline.left{stroke:var(--left)}polyline.engine{stroke:var(--engine)}
.rule{stroke:var(--grid)}
rect.expected{fill:var(--good);opacity:.16}rect.fault{fill:var(--fault);opacity:.2}
rect.warming{fill:var(--engine);opacity:.12}
rect.found{fill:var(--good);opacity:.8}rect.found.bad{fill:var(--bad)}rect.found.other{fill:var(--engine)}
.y,.x{position:absolute;color:var(--soft);font-size:.72rem;font-variant-numeric:tabular-nums;white-space:nowrap}
.y{right:100%;margin-right:8px;transform:translateY(-50%)}
.x{top:100%;margin-top:6px;transform:translateX(-50%)}.x.last{transform:translateX(-100%)}
.x.first{transform:none}
.badge{display:inline-grid;place-items:center;min-width:22px;height:22px;padding:0 5px;border-radius:11px;
background:var(--good);color:var(--on);font-size:.75rem;font-weight:700;text-decoration:none;line-height:1}
.badge.bad{background:var(--bad)}.badge.other{background:var(--engine)}
.plot .badge{position:absolute;top:-26px;transform:translateX(-50%)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0;color:var(--soft);font-size:.8rem}
.legend .unit{margin-left:auto}
.key{display:inline-block;width:16px;height:3px;border-radius:2px;vertical-align:middle;background:var(--speed)}
.key.forward{background:var(--forward)}.key.left{background:var(--left)}.key.engine{background:var(--engine)}
.key.box{height:12px;opacity:.4}.key.expected{background:var(--good)}.key.fault{background:var(--fault)}
.bars{list-style:none;margin:12px 0 4px;padding:0;font-size:.85rem}
.bars li{display:grid;grid-template-columns:8.5rem 1fr 3rem;gap:10px;align-items:center;margin:3px 0}
.bars b{text-align:right;font-variant-numeric:tabular-nums}
.bar{height:14px;border-radius:4px;background:var(--grid);overflow:hidden}
.bar i{display:block;height:100%;background:var(--speed)}
pre{padding:12px 16px;overflow:auto;font-size:.82rem;line-height:1.5;white-space:pre-wrap;overflow-wrap:anywhere}
.grid{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(230px,1fr))}
.small{margin:0;padding:8px 12px}.small figcaption{font-size:.82rem}.small .unit{color:var(--soft);font-weight:400}
.small .plot{height:74px;margin:12px 4px 22px 54px}.small polyline{stroke-width:1.5}
.pair{display:grid;gap:14px;grid-template-columns:repeat(auto-fit,minmax(300px,1fr))}
@media(max-width:520px){main{padding:18px 12px 32px}h1{font-size:1.4rem}td,th{padding:6px 8px}.plot{height:160px}}
"""
