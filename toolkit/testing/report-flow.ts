import type { ReportTransfer } from "./report.js";
import { formatItc, sumItc } from "./report-format.js";
import { html, type Markup } from "./report-html.js";

const WIDTH = 900;
const RIGHT_MARGIN = 190;
const BAR = 8;
const GAP = 34;
const WIDEST = 46;
const MOST_NAMES = 14;

interface Node {
  readonly name: string;
  readonly column: number;
  readonly height: number;
  y: number;
  /** How much of the bar's right and left side is taken by links drawn so far. */
  out: number;
  in: number;
}

interface Link {
  readonly from: string;
  readonly to: string;
  readonly itc: string;
  readonly width: number;
}

/** Who paid whom: a bar for each party, a band for each payment; a band's width is the square root of its amount. */
export function moneyFlow(money: readonly ReportTransfer[]): Markup {
  const links = toLinks(money);
  const nodes = place(links);
  const columns = Math.max(1, ...[...nodes.values()].map(({ column }) => column));
  const x = (node: Node): number => (node.column * (WIDTH - RIGHT_MARGIN)) / columns;
  const height = Math.max(60, ...[...nodes.values()].map((node) => node.y + node.height)) + 12;
  const bands = links.map((link) => band(link, nodes, x));
  const bars = [...nodes.values()].map((node) => bar(node, x(node), links));
  return html`<svg viewBox="0 -12 ${WIDTH} ${height + 8}" role="img" aria-label="Money flow between ${nodes.size} parties">
    ${bands}${bars}
  </svg>`;
}

function toLinks(money: readonly ReportTransfer[]): Link[] {
  const shorten = shortener(money);
  const amounts = new Map<string, { from: string; to: string; itc: string }>();
  for (const { from, to, itc } of money) {
    const link = { from: shorten(from), to: shorten(to) };
    if (link.from === link.to) continue;
    const key = JSON.stringify(link);
    amounts.set(key, { ...link, itc: sumItc([amounts.get(key)?.itc ?? "0", itc]) });
  }
  const merged = [...amounts.values()];
  const greatest = Math.max(...merged.map(({ itc }) => Number(itc)), Number.MIN_VALUE);
  return merged.map((link) => ({ ...link, width: Math.max(2, WIDEST * Math.sqrt(Number(link.itc) / greatest)) }));
}

/** Keeps the names with the greatest turnover and calls the rest by their number. */
function shortener(money: readonly ReportTransfer[]): (name: string) => string {
  const turnover = new Map<string, number>();
  for (const { from, to, itc } of money) {
    for (const name of [from, to]) turnover.set(name, (turnover.get(name) ?? 0) + Number(itc));
  }
  const ranked = [...turnover].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  if (ranked.length <= MOST_NAMES) return (name) => name;
  const kept = new Set(ranked.slice(0, MOST_NAMES - 1));
  return (name) => (kept.has(name) ? name : `${ranked.length - kept.size} others`);
}

/** Payers stand left of whom they pay; in a column, the greatest stand on top. */
function place(links: readonly Link[]): Map<string, Node> {
  const names = [...new Set(links.flatMap(({ from, to }) => [from, to]))];
  const columnOf = columns(links);
  const side = (key: "from" | "to", name: string): number =>
    links.filter((link) => link[key] === name).reduce((sum, { width }) => sum + width, 0);
  const nodes = names.map((name): Node => {
    const height = Math.max(side("from", name), side("to", name));
    return { name, column: columnOf(name), height, y: 0, out: 0, in: 0 };
  });
  nodes.sort((a, b) => b.height - a.height || (a.name < b.name ? -1 : 1));
  const bottoms = new Map<number, number>();
  for (const node of nodes) {
    node.y = bottoms.get(node.column) ?? 0;
    bottoms.set(node.column, node.y + Math.max(node.height, 6) + GAP);
  }
  return new Map(nodes.map((node) => [node.name, node]));
}

/** A name's column is its longest way from a name that nobody pays; payments that close a circle don't count. */
function columns(links: readonly Link[]): (name: string) => number {
  const known = new Map<string, number>();
  const visit = (name: string, path: readonly string[]): number => {
    const column = known.get(name);
    if (column !== undefined) return column;
    const payers = links.filter(({ to, from }) => to === name && !path.includes(from) && from !== name);
    const found = Math.max(0, ...payers.map(({ from }) => visit(from, [...path, name]) + 1));
    known.set(name, found);
    return found;
  };
  return (name) => visit(name, []);
}

function band(link: Link, nodes: ReadonlyMap<string, Node>, x: (node: Node) => number): Markup | undefined {
  const from = nodes.get(link.from);
  const to = nodes.get(link.to);
  if (from === undefined || to === undefined) return undefined;
  const start = { x: x(from) + BAR, y: from.y + from.out + link.width / 2 };
  const end = { x: x(to), y: to.y + to.in + link.width / 2 };
  from.out += link.width;
  to.in += link.width;
  const middle = (start.x + end.x) / 2;
  const path = `M${start.x},${start.y}C${middle},${start.y} ${middle},${end.y} ${end.x},${end.y}`;
  return html`<path class="band" d="${path}" stroke-width="${link.width.toFixed(2)}">
    <title>${link.from} to ${link.to}: ${formatItc(link.itc)} ITC</title>
  </path>`;
}

function bar(node: Node, x: number, links: readonly Link[]): Markup {
  const total = (key: "from" | "to"): string => sumItc(links.filter((l) => l[key] === node.name).map(({ itc }) => itc));
  const paid = total("from");
  const words = paid === "0" ? `got ${formatItc(total("to"), 2)} ITC` : `paid ${formatItc(paid, 2)} ITC`;
  const middle = node.y + node.height / 2;
  return html`<rect class="bar" x="${x}" y="${node.y}" width="${BAR}" height="${Math.max(node.height, 2)}" rx="2" />
    <text x="${x + BAR + 8}" y="${middle - 2}">${node.name}</text>
    <text x="${x + BAR + 8}" y="${middle + 14}" class="quiet">${words}</text>`;
}
