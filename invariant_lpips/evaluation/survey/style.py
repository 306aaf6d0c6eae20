"""How the page looks: light and dark as the reader's system says, legible at the width of a phone."""

from __future__ import annotations

__all__ = ["STYLE"]

# Okabe and Ito's colours and two of Tol's, told apart by colour-blind readers; the dark page takes lighter ones.
STYLE = """
:root{--ink:#1c1f23;--soft:#5b636c;--paper:#fff;--shade:#f3f5f7;--rule:#d9dee3;--link:#0b5cad;--flag:#b3261e;
--s0:#0072b2;--s1:#d98200;--s2:#009e73;--s3:#cc79a7;--s4:#d55e00;--s5:#3a9fd6;--s6:#882255;--s7:#7a7a7a;--s8:#332288;
--s9:#8a8a00}
@media (prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a2abb5;--paper:#14171a;--shade:#1e2327;--rule:#363d44;
--link:#79b8ff;--flag:#ff8a80;--s0:#4aa8e0;--s1:#f0b040;--s2:#2fc79a;--s3:#e39cc4;--s4:#ff8a4c;--s5:#8fd0f5;
--s6:#d9739f;--s7:#b0b0b0;--s8:#9d90e8;--s9:#c9c940}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
color:var(--ink);background:var(--paper)}
h1{font-size:1.7rem;line-height:1.2;margin:.5rem 0}h2{font-size:1.3rem;margin:0 0 .5rem}
section{border-top:1px solid var(--rule);padding-top:1rem;margin-top:2rem}
a{color:var(--link)}code,pre{font:.85em/1.45 ui-monospace,Menlo,Consolas,monospace;overflow-wrap:anywhere}
pre{margin:0;white-space:pre-wrap}
nav{display:flex;flex-wrap:wrap;gap:.4rem}
nav a{padding:.25rem .7rem;border:1px solid var(--rule);border-radius:1rem;text-decoration:none;font-size:.9rem}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums;font-size:.92rem}
caption{text-align:left;color:var(--soft);padding-bottom:.4rem;font-size:.9rem}
caption span{display:block;position:sticky;left:0;max-width:min(44rem,calc(100vw - 2rem))}
th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid var(--rule);vertical-align:top;white-space:nowrap}
thead th{vertical-align:bottom;font-weight:600;white-space:normal;max-width:9rem}
th[scope=row],thead th:first-child{text-align:left;position:sticky;left:0;background:var(--paper);font-weight:500}
th{overflow-wrap:break-word}
th[scope=row]{white-space:normal;overflow-wrap:anywhere;min-width:min(11rem,38vw);max-width:24rem}
#missing td,#made td,#missing th+th,#made th+th{white-space:normal;text-align:left;min-width:16rem}
#published :is(th,td):nth-last-child(-n+2),#changes :is(th,td):last-child{text-align:left}
@media(min-width:60rem){#published td:nth-last-child(-n+2),#changes td:last-child{white-space:normal;min-width:11rem}}
tbody tr:hover>*{background:var(--shade)}
.flag{color:var(--flag)}
figure{margin:1rem 0}figcaption{color:var(--soft);font-size:.9rem}
.beside{display:flex;flex-wrap:wrap;gap:0 2rem;align-items:flex-start}
.beside>.wide{flex:0 1 auto;max-width:100%}.beside>figure{flex:1 1 17rem;max-width:30rem}
.panels{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,20rem),1fr));gap:.5rem 1.2rem}
svg{width:100%;max-width:30rem;height:auto;display:block;font:11px system-ui,sans-serif}
svg text{fill:var(--soft)}svg .axis,svg .kind{fill:var(--ink)}svg .named{fill:currentColor}
.legend{display:flex;flex-wrap:wrap;gap:.2rem 1rem;list-style:none;margin:.4rem 0;padding:0;font-size:.9rem}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:50%;margin-right:.35em;background:currentColor}
.panels>.legend{grid-column:1/-1}
.grid{stroke:var(--rule);stroke-width:.6;fill:none}
.dots{stroke:currentColor;stroke-width:3;stroke-linecap:round;opacity:.4;fill:none}
.dots.few{stroke-width:6;opacity:.6}
.fit{stroke:var(--ink);stroke-width:1.6;fill:none}
.curve{stroke:currentColor;stroke-width:1.6;fill:none}.curve.people{stroke-width:2.6}
.whisker{stroke:currentColor;stroke-width:2.5;opacity:.55;fill:none}
.mark,.bar{fill:currentColor}
.curve.again{stroke-dasharray:5 3}.bar.again{opacity:.55}.legend i.again{background:none;border:.17em solid}
.mark.again{fill:var(--paper);stroke:currentColor;stroke-width:2}
.published{fill:none;stroke:var(--ink);stroke-width:1.3}
.people{color:var(--ink)}
.s0{color:var(--s0)}.s1{color:var(--s1)}.s2{color:var(--s2)}.s3{color:var(--s3)}.s4{color:var(--s4)}
.s5{color:var(--s5)}.s6{color:var(--s6)}.s7{color:var(--s7)}.s8{color:var(--s8)}.s9{color:var(--s9)}
summary{cursor:pointer;padding:.4rem 0;color:var(--link)}
@media print{details>*{display:block}nav{display:none}}
"""
"""The page's style sheet."""
