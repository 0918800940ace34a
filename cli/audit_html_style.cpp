#include "cli/audit_html_style.hpp"

namespace cli {

namespace {

// Colours of a palette that people with any kind of colour vision tell apart (blue, orange,
// vermilion, purple); each state has a symbol of its own besides. Every pair of text and ground has
// a contrast of 4.5 or more.
constexpr std::string_view kStyle = R"(
:root {
  --ground: #f6f7f9; --card: #ffffff; --text: #1b2128; --dim: #55606c; --line: #d5dae0;
  --code: #eef1f4; --link: #0b57a4;
  --error: #a3260c; --error-bg: #fde5de; --warning: #7a4a00; --warning-bg: #ffedc7;
  --unseen: #6b2a86; --unseen-bg: #f1e3f7; --note: #0b57a4; --note-bg: #dfeefb;
  --pass: #0a6148; --pass-bg: #dbf2e9; --na: #55606c; --na-bg: #eceff2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --card: #1b2128; --text: #e6eaee; --dim: #a3aeb9; --line: #36404a;
    --code: #262e37; --link: #86bdf2;
    --error: #ff9c85; --error-bg: #4a1d13; --warning: #f5c163; --warning-bg: #43300b;
    --unseen: #ddabf2; --unseen-bg: #3a2146; --note: #93c5f5; --note-bg: #15324d;
    --pass: #78d8b4; --pass-bg: #113a2d; --na: #a3aeb9; --na-bg: #262e37;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0 auto; padding: 1.5rem 1.25rem 3rem; max-width: 72rem; background: var(--ground);
  color: var(--text); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif; }
h1, h2, h3, h4, p, ul, ol, dl, dd { margin: 0; padding: 0; }
ul, ol { list-style: none; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible, input:focus-visible, .scroll:focus-visible {
  outline: 3px solid var(--link); outline-offset: 2px; }
code { font: .875em/1.45 ui-monospace, "SF Mono", "DejaVu Sans Mono", Consolas, monospace;
  background: var(--code); border-radius: .25rem; padding: .1em .35em; overflow-wrap: anywhere;
  white-space: pre-wrap; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
section > h2 { font-size: 1.25rem; margin: 2.25rem 0 .75rem; }
abbr { text-decoration: none; }

header { background: var(--card); border: 1px solid var(--line); border-left: .5rem solid;
  border-radius: .6rem; padding: 1.25rem 1.5rem; }
header.bad { border-left-color: var(--error); } header.good { border-left-color: var(--pass); }
header h1 { font-size: 2rem; line-height: 1.25; }
.bad .sign { color: var(--error); } .good .sign { color: var(--pass); }
.kind { color: var(--dim); font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .6rem;
  margin: 1.1rem 0; }
.tile { border-radius: .5rem; padding: .5rem .75rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.2; }
.tile > span { font-size: .85rem; }
.tile.zero { background: transparent; color: var(--dim); box-shadow: inset 0 0 0 1px var(--line); }
.facts { display: flex; flex-wrap: wrap; gap: .35rem 2rem; font-size: .9rem; }
.facts dt { display: inline; color: var(--dim); } .facts dt::after { content: " "; }
.facts dd { display: inline; overflow-wrap: anywhere; }

.error { --on: var(--error); --bg: var(--error-bg); } .warning { --on: var(--warning); --bg: var(--warning-bg); }
.unseen { --on: var(--unseen); --bg: var(--unseen-bg); } .note { --on: var(--note); --bg: var(--note-bg); }
.pass { --on: var(--pass); --bg: var(--pass-bg); } .na { --on: var(--na); --bg: var(--na-bg); }
.badge, .tile, .sum { background: var(--bg); color: var(--on); }
.badge { display: inline-block; border-radius: 1rem; padding: 0 .6rem; font-size: .8rem; font-weight: 600;
  white-space: nowrap; }
.rule { display: inline-block; max-width: 100%; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }

.todo li { background: var(--card); border: 1px solid var(--line); border-left: .3rem solid var(--on);
  border-radius: .4rem; padding: .6rem .9rem; margin-bottom: .5rem; overflow-wrap: anywhere; }
.must { color: var(--dim); }
.remedy { margin-top: .2rem; } .where { color: var(--dim); font-size: .9rem; margin-top: .2rem; }

.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; }
.matrix { border-collapse: collapse; width: 100%; }
.matrix th, .matrix td { padding: .4rem .5rem; text-align: center; border-bottom: 1px solid var(--line); }
.matrix tbody tr:last-child > * { border-bottom: 0; }
.matrix thead th { font-size: .8rem; color: var(--dim); }
.matrix th:first-child { position: sticky; left: 0; background: var(--card); text-align: left; min-width: 7rem;
  max-width: 16rem; overflow-wrap: anywhere; font-weight: 600; box-shadow: 1px 0 0 var(--line); }
.matrix td { min-width: 2.9rem; padding: .2rem; }
.matrix td a { display: block; border-radius: .35rem; padding: .2rem .25rem; background: var(--bg); color: var(--on);
  text-decoration: none; font-weight: 700; font-size: .9rem; white-space: nowrap; }
.matrix td a:hover { text-decoration: underline; }
.legend { margin-top: .6rem; line-height: 2; }
.names { margin-top: .4rem; font-size: .9rem; }
.names dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .15rem 1.5rem; padding: .5rem 0; }
.names dl div { display: flex; gap: .6rem; } .names dt { font-weight: 600; min-width: 3.2rem; }

summary { cursor: pointer; }
.subject { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; margin-top: .8rem; }
.subject > summary { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; padding: .8rem 1.1rem;
  list-style: none; }
.subject > summary::-webkit-details-marker { display: none; }
.subject > summary::before { content: "▸"; color: var(--dim); width: .8rem; }
.subject[open] > summary::before { content: "▾"; }
.subject h2 { font-size: 1.1rem; overflow-wrap: anywhere; min-width: 0; }
.class { border: 1px solid var(--line); border-radius: .3rem; padding: 0 .45rem; font-size: .85rem; color: var(--dim);
  min-width: 0; overflow-wrap: anywhere; }
.sums { margin-left: auto; display: flex; flex-wrap: wrap; gap: .3rem; }
.sum { border-radius: 1rem; padding: 0 .6rem; font-size: .85rem; font-weight: 600; white-space: nowrap; }
.sum .word { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.body { padding: 0 1.1rem 1.1rem; border-top: 1px solid var(--line); }
.hash { font-size: .85rem; color: var(--dim); padding-top: .7rem; }
.relaxed { background: var(--warning-bg); border-radius: .4rem; padding: .6rem .9rem; margin-top: .8rem; }
.relaxed h3 { font-size: .95rem; margin: 0 0 .2rem; color: var(--warning); }
.relaxed li { padding: .1rem 0; overflow-wrap: anywhere; } .relaxed code { background: var(--card); }
.group { margin-top: 1.1rem; scroll-margin-top: 1rem; }
.group h3 { font-size: 1rem; margin-bottom: .35rem; } .letters { color: var(--dim); margin-right: .35rem; }
.check { border: 1px solid var(--line); border-left: .3rem solid var(--on); border-radius: .4rem; padding: .7rem .9rem;
  margin-bottom: .5rem; }
.check h4 { font-size: 1rem; font-weight: 500; overflow-wrap: anywhere; margin-bottom: .4rem; }
.check dl div { display: grid; grid-template-columns: 8rem 1fr; gap: .75rem; padding: .15rem 0; }
.check dt { color: var(--dim); font-size: .9rem; } .check dd { min-width: 0; overflow-wrap: anywhere; }
.closed { font-size: .9rem; } .closed > summary { color: var(--on); padding: .1rem 0; }
.closed ul { padding: .3rem 0 .4rem 1.1rem; }
.closed li { padding: .15rem 0; overflow-wrap: anywhere; }
label { padding-left: .45rem; }
#only-open:checked ~ .subjects .closed, #only-open:checked ~ .subjects .quiet { display: none; }
footer { margin-top: 2.5rem; color: var(--dim); font-size: .85rem; }

@media (max-width: 36rem) {
  body { padding: .75rem .6rem 2rem; }
  header { padding: 1rem; } header h1 { font-size: 1.6rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); gap: .4rem; } .tile { padding: .4rem .5rem; }
  .tile b { font-size: 1.25rem; } .tile > span { font-size: .75rem; line-height: 1.3; display: block; }
  .matrix th:first-child { min-width: 5.5rem; max-width: 8rem; }
  .subject > summary { padding: .7rem .8rem; } .sums { margin-left: 1.6rem; flex-basis: 100%; }
  .body { padding: 0 .8rem .8rem; }
  .check dl div { grid-template-columns: 1fr; gap: 0; padding: .25rem 0; }
}
@media print {
  :root { --ground: #fff; --card: #fff; --text: #000; --dim: #444; --line: #999; --code: #f0f0f0; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .badge, .tile, .sum, .matrix td a { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  .scroll { overflow: visible; } .matrix th:first-child { position: static; }
  .todo li, .check, tr, h2, h3 { break-inside: avoid; } h2, h3, summary { break-after: avoid; }
  details::details-content { content-visibility: visible; display: block; height: auto; }
  #only-open, label { display: none; }
  a { text-decoration: none; }
}
)";

}  // namespace

std::string_view audit_html_style() {
    return kStyle;
}

}  // namespace cli
