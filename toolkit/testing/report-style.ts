/** The page's style sheet: light and dark by the reader's setting, one column on a phone, plain on paper. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --card: #ffffff; --ink: #16201f; --quiet: #56625f; --line: #e3e6e2;
  --accent: #0b6b63; --wash: #e6f1ef; --bad: #b3261e; --bad-wash: #fdecea; --error: #a04a00;
  --scale-0: #eaf4e4; --scale-1: #cbe7d3; --scale-2: #a0d6c9; --scale-3: #6cc0c0; --scale-4: #3fa3b5;
  --scale-5: #2482a6; --scale-6: #1f6192; --scale-7: #214277; --scale-8: #1c2556;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1514; --card: #151e1d; --ink: #e8eeec; --quiet: #9aa8a4; --line: #27322f;
    --accent: #5fd0c0; --wash: #16302d; --bad: #ff8a80; --bad-wash: #38191a; --error: #ffb870;
    --scale-0: #29346f; --scale-1: #28498a; --scale-2: #24639b; --scale-3: #2681aa; --scale-4: #3ca2b8;
    --scale-5: #66bfc3; --scale-6: #99d6ca; --scale-7: #c8e9d2; --scale-8: #f1f9e6;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
main, header, footer { max-width: 1160px; margin: 0 auto; padding: 0 32px; }
header { padding-top: 56px; }
h1 { font-size: clamp(1.9rem, 4.2vw, 2.9rem); line-height: 1.12; letter-spacing: -0.022em; margin: 6px 0 12px; }
h2 { font-size: 1.4rem; letter-spacing: -0.012em; line-height: 1.25; margin: 0 0 6px; }
h3 { font-size: 1rem; line-height: 1.35; margin: 0 0 4px; }
p { margin: 0 0 12px; max-width: 74ch; text-wrap: pretty; }
section { margin-top: 72px; }
section > p.quiet { margin-bottom: 22px; }
.quiet, .eyebrow, figcaption { color: var(--quiet); }
.eyebrow { font-size: .875rem; margin: 0; }
.lead { font-size: 1.125rem; color: var(--quiet); }
.verdict {
  display: flex; gap: 14px; align-items: flex-start; margin: 28px 0 0; padding: 18px 22px; border-radius: 12px;
  background: var(--wash); max-width: none; font-size: 1.0625rem;
}
.verdict strong { color: var(--accent); white-space: nowrap; }
.verdict.failed, .failure { background: var(--bad-wash); }
.verdict.failed strong, .bad { color: var(--bad); }
.good { color: var(--accent); }
.failure { border-radius: 12px; padding: 20px 22px; margin-top: 16px; }
.failure h2 { font-size: 1.0625rem; }
.failure p, section.failure > p.quiet { margin: 0; overflow-wrap: anywhere; max-width: none; }
.figures { display: grid; grid-template-columns: repeat(6, 1fr); margin: 32px 0 0; padding: 0; gap: 24px 28px; }
.figures div { border-top: 2px solid var(--accent); padding-top: 12px; }
.figures dt { color: var(--quiet); font-size: .875rem; }
.figures dd { margin: 0; font-size: 1.6rem; font-weight: 600; letter-spacing: -0.02em; line-height: 1.3; }
.pair { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 28px 48px; align-items: start; }
.pair + .cards { margin-top: 36px; }
.pair > .stack { display: grid; gap: 30px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 28px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 26px; min-width: 0; }
figure { margin: 0; min-width: 0; }
.chart svg { display: block; width: 100%; height: auto; }
figcaption { font-size: .875rem; margin-bottom: 6px; }
figcaption strong { color: var(--ink); display: block; font-size: 1rem; }
.legend { display: flex; align-items: center; gap: 2px; font-size: .875rem; color: var(--quiet); margin: 8px 0 0; }
.legend i { flex: 1; height: 8px; max-width: 30px; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.legend span:first-child { margin-right: 8px; }
.legend span:last-child { margin-left: 8px; }
.result { font-size: 2.4rem; font-weight: 650; letter-spacing: -0.03em; line-height: 1.15; margin: 14px 0 18px; }
.result small { font-size: 1rem; font-weight: 400; letter-spacing: 0; color: var(--quiet); }
.result { overflow-wrap: anywhere; }
.result small { display: inline-block; line-height: 1.4; }
.result.long { font-size: 1.125rem; letter-spacing: 0; line-height: 1.4; }
h3 + .facts { margin-top: 12px; }
.facts:last-child, figure + .facts { margin-bottom: 0; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: 4px 20px; margin: 0 0 22px; font-size: .9375rem; }
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
a { color: var(--accent); text-underline-offset: .15em; }
:is(a, summary):focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; border-radius: 3px; }
summary { cursor: pointer; color: var(--accent); font-size: .9375rem; }
details { margin-top: 14px; }
.more { margin: 18px 0 0; font-size: .9375rem; }
.card > p.quiet { font-size: .9375rem; margin: 0 0 12px; }
.notes { margin: 14px 0 0; padding-left: 1.2em; font-size: .9375rem; color: var(--quiet); }
.notes li { margin-bottom: 4px; }
code.name { white-space: nowrap; font-weight: 400; }
.filled .meter { height: 10px; background: var(--line); border-radius: 3px; }
.filled .meter i { margin-left: 0; }
.scroll { overflow-x: auto; margin-top: 14px; }
.scroll > p { margin: 12px 0 0; font-size: .9375rem; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 4px; }
.scroll > svg { display: block; width: 100%; min-width: 640px; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
th, td { padding: 10px 26px 10px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 500; font-size: .8125rem; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 550; }
tbody th .quiet { font-weight: 400; }
td.number, th.number { text-align: right; white-space: nowrap; }
.good, strong.bad { white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
tr.broken > * { background: var(--bad-wash); }
.meter { display: block; width: 100%; min-width: 90px; height: 6px; margin: 6px 0 3px; }
.meter i { display: block; height: 100%; margin-left: auto; border-radius: 3px; background: var(--accent); }
.meter i { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.band { fill: none; stroke: var(--accent); stroke-opacity: .22; }
.bar { fill: var(--accent); }
.part { fill: var(--card); stroke: var(--line); stroke-width: 1.5; }
.part.gone { stroke: var(--quiet); stroke-dasharray: 5 4; fill: var(--ground); }
.part.refused { fill: var(--bad-wash); stroke: var(--bad); stroke-dasharray: 5 4; }
.link { fill: none; stroke: var(--accent); stroke-opacity: .5; stroke-width: 1.5; }
.link.gone { stroke: var(--quiet); stroke-dasharray: 5 4; }
.link.refused { stroke: var(--bad); stroke-opacity: 1; stroke-dasharray: 5 4; }
svg text { fill: currentColor; }
.scroll text { font-size: 13px; font-weight: 550; }
.scroll + .scroll { margin-top: 40px; }
.pair + .scroll, .cards + .scroll { margin-top: 36px; }
.scroll text.refused { fill: var(--bad); }
.scroll text.gone { fill: var(--quiet); }
.scroll text.small { font-size: 12px; font-weight: 400; }
.scroll text.quiet { fill: var(--ink); font-size: 12px; font-weight: 400; }
ol.path { list-style: none; margin: 0; padding: 0; counter-reset: path; }
ol.path li { counter-increment: path; position: relative; padding: 0 0 22px 46px; }
ol.path li::before {
  content: counter(path); position: absolute; left: 0; top: 0; width: 28px; height: 28px; border-radius: 50%;
  background: var(--wash); color: var(--accent); font-weight: 600; font-size: .875rem;
  line-height: 28px; text-align: center;
}
ol.path li:not(:last-child)::after {
  content: ""; position: absolute; left: 13.5px; top: 34px; bottom: 6px; width: 1px; background: var(--line);
}
ol.path strong { display: block; }
ol.path span { color: var(--quiet); font-size: .9375rem; }
ol.found { margin: 12px 0 0; padding-left: 1.4em; font-size: .9375rem; overflow-wrap: anywhere; }
ol.found li { margin-bottom: 6px; }
ol.found + p { margin: 18px 0 0; font-size: .9375rem; }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
footer { margin-top: 80px; padding-bottom: 56px; color: var(--quiet); font-size: .9375rem; }
footer div { border-top: 1px solid var(--line); padding-top: 22px; }
footer p { margin: 0 0 4px; }
@media (max-width: 900px) {
  .figures { grid-template-columns: repeat(3, 1fr); }
  .pair { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 520px) {
  main, header, footer { padding-left: 18px; padding-right: 18px; }
  header { padding-top: 32px; }
  section { margin-top: 52px; }
  .figures { grid-template-columns: repeat(2, 1fr); }
  .verdict { flex-direction: column; gap: 4px; }
  .card { padding: 18px; }
  th, td { padding-right: 16px; }
}
@media print {
  :root { --ground: #fff; --wash: #f2f6f5; }
  body { font-size: 11pt; }
  main, header, footer { max-width: none; padding: 0; }
  section { margin-top: 32pt; }
  .card, figure, tr, li, p, .failure { break-inside: avoid; }
  h2, h3, section > p { break-after: avoid; }
  .figures { grid-template-columns: repeat(6, 1fr); gap: 16px; }
  .figures dd { font-size: 1.15rem; }
  .pair { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 24px; }
  .cards { grid-template-columns: repeat(auto-fit, minmax(280px, 1fr)); gap: 16px; }
  .card { padding: 16px; }
  .scroll { overflow: visible; }
  .scroll > svg { min-width: 0; }
  table { font-size: 8.5pt; }
  th, td { padding-right: 10px; }
  .meter { min-width: 40px; }
  a { color: inherit; }
  details::details-content { content-visibility: visible; display: block; }
  .stack .card, .stack table { break-inside: auto; }
  code { overflow-wrap: anywhere; }
}
`;
