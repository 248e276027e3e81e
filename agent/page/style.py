"""How a report page looks: light and dark, narrow and wide, on a screen and on paper."""

STYLE = """
:root{color-scheme:light dark;--back:#f4f6f8;--card:#fff;--ink:#161b22;--soft:#5d6775;--line:#e2e6eb;--grid:#edf0f3;
--zero:#b9c1cb;--speed:#2463eb;--forward:#0b8f6d;--left:#b8600b;--low:#8f6a00;--medium:#b94c08;--high:#d11f45;
--calm:#6a7688;--on:#fff;--sea:#eaf0f6}
@media(prefers-color-scheme:dark){:root{--back:#0f1318;--card:#181e26;--ink:#e8ecf1;--soft:#98a3b2;--line:#2a323d;
--grid:#232a34;--zero:#4b5666;--speed:#6ea0ff;--forward:#3ecfa6;--left:#f0a04b;--low:#e2b93b;--medium:#ff8a3d;
--high:#ff5d7d;--calm:#8b98aa;--on:#10151b;--sea:#131a23}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);
font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1040px;margin:0 auto;padding:28px 20px 48px}
header{margin-bottom:18px}
h1{font-size:1.7rem;line-height:1.2;margin:0;letter-spacing:-.015em;overflow-wrap:anywhere}
header p,.lead{color:var(--soft);margin:.3rem 0 0}
h2{font-size:1.25rem;margin:36px 0 12px}
h3{font-size:1.05rem;margin:30px 0 10px}
dl,dd,dt,figure{margin:0}
.quiet{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:1px;background:var(--card);
border:1px solid var(--line);border-radius:14px;overflow:hidden}
.tiles div{padding:12px 14px;box-shadow:0 0 0 1px var(--line)}
dt{color:var(--soft);font-size:.78rem}
.tiles dd{font-size:1.18rem;font-weight:650;white-space:nowrap;font-variant-numeric:tabular-nums}
.figures{display:grid;gap:14px;margin-top:16px}
figure,.card,.quality table{background:var(--card);border:1px solid var(--line);border-radius:14px}
figure{padding:12px 16px 12px}
figcaption{font-weight:650;font-size:.95rem}
.plot{position:relative;height:210px;margin:30px 6px 24px 34px}
.plot svg,.spark svg,.map svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
svg *{vector-effect:non-scaling-stroke}
polyline{fill:none;stroke:var(--speed);stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
polyline.limit{stroke:var(--high);stroke-width:1.5;stroke-dasharray:5 4}.key.limit{background:var(--high)}
polyline.engine{stroke:var(--calm)}.key.engine{background:var(--calm)}.short .plot{height:120px}
polyline.forward{stroke:var(--forward)}polyline.left{stroke:var(--left)}polyline.measured{stroke:var(--calm);opacity:.75}
.rule{stroke:var(--grid)}.zero{stroke:var(--zero)}
rect{fill:var(--calm);opacity:.16}
rect.low{fill:var(--low);opacity:.24}rect.medium{fill:var(--medium);opacity:.24}rect.high{fill:var(--high);opacity:.24}
.y,.x{position:absolute;color:var(--soft);font-size:.72rem;font-variant-numeric:tabular-nums;white-space:nowrap}
.y{right:100%;margin-right:8px;transform:translateY(-50%)}
.x{top:100%;margin-top:6px;transform:translateX(-50%)}
.x.last{transform:translateX(-100%)}
.badge{display:inline-grid;place-items:center;min-width:22px;height:22px;padding:0 5px;border-radius:11px;
background:var(--calm);color:var(--on);font-size:.75rem;font-weight:700;text-decoration:none;line-height:1}
.badge.low{background:var(--low)}.badge.medium{background:var(--medium)}.badge.high{background:var(--high)}
.plot .badge{position:absolute;top:-26px;transform:translateX(-50%)}
.map .badge{position:absolute;transform:translate(-50%,-50%);box-shadow:0 0 0 2px var(--card)}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;margin:0;color:var(--soft);font-size:.8rem}
.legend .unit{margin-left:auto}
.key{display:inline-block;width:16px;height:3px;border-radius:2px;vertical-align:middle;background:var(--speed)}
.key.forward{background:var(--forward)}.key.left{background:var(--left)}.key.measured{background:var(--calm)}
.map{position:relative;width:100%;margin:10px auto 8px;background:var(--sea);border-radius:10px;overflow:hidden}
.map polyline{stroke-width:3.5}
.dot{display:inline-block;width:12px;height:12px;border-radius:50%;border:3px solid var(--speed);background:var(--card);
vertical-align:middle}
.dot.end{background:var(--speed)}
.map .dot{position:absolute;width:14px;height:14px;transform:translate(-50%,-50%)}
.north{position:absolute;top:8px;right:12px;color:var(--soft);font-weight:700;font-size:.8rem}
.scale{position:absolute;left:14px;bottom:10px;border:solid var(--soft);border-width:0 2px 2px;color:var(--soft);
font-size:.72rem;line-height:1.5;text-align:center;white-space:nowrap}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(290px,1fr));gap:14px}
.card{padding:14px 16px;border-top:4px solid var(--calm);scroll-margin-top:12px}
.card.low{border-top-color:var(--low)}.card.medium{border-top-color:var(--medium)}.card.high{border-top-color:var(--high)}
.card:target{outline:2px solid var(--speed);outline-offset:2px}
h4{display:flex;align-items:center;flex-wrap:wrap;gap:4px 8px;margin:0;font-size:1rem}
.pill{border:1px solid currentColor;border-radius:9px;padding:0 7px;font-size:.7rem;font-weight:600;color:var(--soft)}
.low .pill{color:var(--low)}.medium .pill{color:var(--medium)}.high .pill{color:var(--high)}
time{float:right;color:var(--soft);font-weight:400;font-size:.85rem;line-height:1.9}
.strong{font-size:1.18rem;font-weight:650;margin:8px 0 6px;font-variant-numeric:tabular-nums}
.near{margin:8px 0 10px}.near .legend{font-size:.72rem;margin-top:4px}
.spark{position:relative;height:72px}
.level{stroke:var(--high);stroke-dasharray:4 4}
.at{position:absolute;right:0;transform:translateY(-100%);font-size:.68rem;color:var(--high);padding:0 2px;
font-variant-numeric:tabular-nums}
.decided{width:100%;border-spacing:0;font-size:.85rem;margin:4px 0 10px;font-variant-numeric:tabular-nums}
.decided th,.decided td{text-align:left;font-weight:400;padding:3px 0;border-bottom:1px solid var(--grid)}
.decided th{color:var(--soft)}.decided td+td{color:var(--soft)}
details{margin-top:10px;font-size:.82rem;color:var(--soft)}summary{cursor:pointer}
details ul{margin:6px 0 0;padding-left:1.1em}
.score{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:14px 16px}
.score .lead{font-size:.8rem;margin-top:10px}
.value{margin:0 0 10px;color:var(--soft)}.value b{font-size:2.4rem;line-height:1;color:var(--ink);letter-spacing:-.02em}
.value span{margin-left:.7em;color:var(--ink);font-weight:650}
.score ul,.bands ul{list-style:none;margin:0;padding:0}
.score ul{display:grid;grid-template-columns:repeat(auto-fit,minmax(280px,1fr));gap:10px 28px}
.score li{display:grid;grid-template-columns:1fr auto;gap:2px 10px;font-size:.9rem;align-content:start}
.score li b{font-weight:600}.score li>small,.score li .bar{grid-column:1/-1}.score small{color:var(--soft)}
.lost{font-variant-numeric:tabular-nums}
.bar{display:block;height:6px;border-radius:3px;background:var(--grid);overflow:hidden}
.bar i{display:block;height:100%;border-radius:3px;background:var(--speed)}.score .bar i{background:var(--medium)}
.pair{grid-template-columns:repeat(auto-fit,minmax(280px,1fr));margin-top:0;margin-bottom:14px}
.bands li{display:grid;grid-template-columns:5.2em 1fr 4.6em;gap:10px;align-items:center;margin-top:6px;
font-size:.85rem;font-variant-numeric:tabular-nums}
.bands li span:last-child{text-align:right}.bands li span:first-child{color:var(--soft)}
.columns{display:grid;grid-template-columns:repeat(24,1fr);gap:2px;align-items:end;height:120px;margin-top:14px}
.columns i{background:var(--speed);border-radius:2px 2px 0 0}.columns .night{background:var(--calm)}
.marks{display:flex;justify-content:space-between;margin:4px 0 0;color:var(--soft);font-size:.72rem}
.spark rect{opacity:.2}
.low .spark rect{fill:var(--low);opacity:.3}.medium .spark rect{fill:var(--medium);opacity:.3}
.high .spark rect{fill:var(--high);opacity:.3}
.card dl{display:grid;grid-template-columns:1fr 1fr;gap:6px 14px;font-size:.9rem}
.card dd{overflow-wrap:anywhere}
.quality table{width:100%;border-spacing:0;overflow:hidden}
.quality th,.quality td{text-align:left;font-weight:400;padding:8px 16px;border-top:1px solid var(--line);
font-size:.9rem;vertical-align:top;overflow-wrap:anywhere}
.quality tr:first-child>*{border-top:0}
.quality th{color:var(--soft);width:42%}
footer{margin-top:26px;color:var(--soft);font-size:.85rem}
footer ul{margin:0;padding-left:1.1em}
@media(max-width:560px){main{padding:18px 12px 32px}h1{font-size:1.35rem}
.tiles{grid-template-columns:repeat(3,1fr)}.tiles div{padding:9px 10px}.tiles dd{font-size:1rem}
.x.odd{display:none}.plot{height:170px;margin-left:30px}figure{padding:10px 12px}.cards{grid-template-columns:1fr}}
@media print{:root{color-scheme:light;--back:#fff;--card:#fff;--ink:#000;--soft:#444;--line:#ccc;--grid:#e6e6e6;
--zero:#999;--speed:#1a4fd0;--forward:#0b7a5e;--left:#a05000;--low:#a87d00;--medium:#c8520a;--high:#b8143a;
--calm:#5c6675;--on:#fff;--sea:#f3f6f9}
main{max-width:none;padding:0}figure,.card,.tiles,tr{break-inside:avoid}body{font-size:12px}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}
"""
