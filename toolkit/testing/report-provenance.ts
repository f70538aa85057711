import type { ReportPart, ReportProvenance } from "./report.js";
import { count } from "./report-format.js";
import { html, type Markup } from "./report-html.js";

const WIDTH = 1060;
const BOX = 178;
const LINE = 16;
const PAD = 9;
const GAP = 16;
const HEAD = 30;
const MOST_CHILDREN = 12;
const MOST_CHARACTERS = 24;

const COLUMNS: readonly (readonly [rank: string, title: string])[] = [
  ["ip-block", "IP block"],
  ["chip", "Chip"],
  ["module", "Module"],
  ["device", "Device"],
  ["installation", "Installation"],
];

/** A part on the page. Below its box stands one for each refused claim. */
interface Placed {
  readonly part: ReportPart;
  readonly column: number;
  readonly lines: readonly string[];
  y: number;
}

interface Link {
  readonly from: Placed;
  readonly to: Placed;
  readonly kind: "there" | "gone";
}

/** What is in what, from the designs on the left to the whole on the right; refused claims in red below what they claim. */
export function partTree({ of, parts }: ReportProvenance): Markup {
  const layout = new Layout(parts);
  const whole = parts.find(({ name }) => name === of);
  if (whole) layout.place(whole, 0);
  layout.placeDesigns();
  const placed = [...layout.placed.values()];
  const ranks = COLUMNS.filter(([rank]) => parts.some((part) => part.rank === rank));
  const x = (one: Placed): number => (one.column * (WIDTH - BOX)) / Math.max(1, layout.columns - 1) + 1;
  const height = Math.max(HEAD, ...placed.map((one) => one.y + heightOf(one))) + 6;
  const heads = ranks.map(
    ([, title], k) =>
      html`<text class="small" x="${(k * (WIDTH - BOX)) / Math.max(1, ranks.length - 1) + 1}" y="14">${title}</text>`,
  );
  return html`<svg viewBox="0 0 ${WIDTH + 2} ${height}" role="img" aria-label="${count(parts.length, "part")} of ${of}">
    ${heads}${layout.links().map((link) => curve(link, x))}${placed.map((one) => box(one, x(one)))}
    ${layout.notes.map(({ text, column, y }) => html`<text class="small" x="${x({ column } as Placed)}" y="${y}">${text}</text>`)}
  </svg>`;
}

/** Gives each part a band of its own, as high as itself or as what is in it, so that nothing overlaps. */
class Layout {
  readonly placed = new Map<string, Placed>();
  readonly notes: { readonly text: string; readonly column: number; readonly y: number }[] = [];
  readonly columns: number;
  private readonly columnOf: ReadonlyMap<string, number>;

  constructor(private readonly parts: readonly ReportPart[]) {
    const ranks = COLUMNS.map(([rank]) => rank).filter((rank) => parts.some((part) => part.rank === rank));
    this.columnOf = new Map(ranks.map((rank, column) => [rank, column]));
    this.columns = ranks.length;
  }

  /** Places a part with all in it from `top` on; the answer is the height that they take. */
  place(part: ReportPart, top: number): number {
    const one = this.note(part, top);
    const children = this.childrenOf(part);
    const shown = children.slice(0, MOST_CHILDREN);
    let below = top;
    for (const child of shown) below += this.place(child, below);
    if (children.length > shown.length) {
      const column = this.columnOf.get(children[0]?.rank ?? "") ?? 0;
      this.notes.push({ text: `and ${children.length - shown.length} more`, column, y: HEAD + below + LINE });
      below += LINE + GAP;
    }
    const band = Math.max(below - top, heightOf(one) + GAP);
    one.y = HEAD + top + (band - GAP - heightOf(one)) / 2;
    return band;
  }

  /** Designs are in many chips: each stands by the middle of its own, below the one before. */
  placeDesigns(): void {
    const designs = this.parts.filter(({ rank, name }) => rank === "ip-block" && !this.placed.has(name));
    const wanted = designs
      .map((part) => {
        const one = this.note(part, 0);
        const chips = part.inside.flatMap((name) => this.placed.get(name) ?? []);
        const middle = chips.reduce((sum, chip) => sum + middleOf(chip), 0) / Math.max(1, chips.length);
        return { one, middle };
      })
      .sort((a, b) => a.middle - b.middle);
    const total = wanted.reduce((sum, { one }) => sum + heightOf(one) + 2 * GAP, -2 * GAP);
    const centre = wanted.reduce((sum, { middle }) => sum + middle, 0) / Math.max(1, wanted.length);
    let free = Math.max(HEAD, centre - total / 2);
    for (const { one } of wanted) {
      one.y = free;
      free += heightOf(one) + 2 * GAP;
    }
  }

  links(): Link[] {
    return [...this.placed.values()].flatMap((from) => {
      const to = (names: readonly string[], kind: Link["kind"]) =>
        names.flatMap((name): Link[] => {
          const target = this.placed.get(name);
          return target ? [{ from, to: target, kind }] : [];
        });
      return [...to(from.part.inside, "there"), ...to(from.part.formerly, "gone")];
    });
  }

  /** What is in it and what was; first what has been claimed wrongly, so that it is shown for sure. */
  private childrenOf({ name }: ReportPart): ReportPart[] {
    const inside = this.parts.filter((part) => part.rank !== "ip-block" && part.inside.includes(name));
    const gone = this.parts.filter((part) => part.formerly.includes(name) && !part.inside.includes(name));
    const fresh = [...inside, ...gone].filter((part) => !this.placed.has(part.name));
    if (fresh.length <= MOST_CHILDREN) return fresh;
    return fresh.sort((a, b) => Number(b.claims.length > 0) - Number(a.claims.length > 0));
  }

  private note(part: ReportPart, y: number): Placed {
    const one = { part, column: this.columnOf.get(part.rank) ?? 0, lines: linesOf(part), y };
    this.placed.set(part.name, one);
    return one;
  }
}

function linesOf({ maker, custodian, device, inside, state, rank }: ReportPart): string[] {
  const isLoose = inside.length === 0 && rank !== "ip-block";
  return [
    `by ${maker}`,
    ...(device === undefined ? [] : [`key ${device.slice(0, 8)}…${device.slice(-4)}`]),
    ...(state === "decommissioned" ? [state] : isLoose && custodian !== maker ? [`held by ${custodian}`] : []),
  ];
}

function boxHeight({ lines }: Placed): number {
  return 2 * PAD + (lines.length + 1) * LINE - 4;
}

const CLAIM_HEIGHT = 2 * PAD + 2 * LINE - 4;

function heightOf(one: Placed): number {
  return boxHeight(one) + one.part.claims.length * (CLAIM_HEIGHT + 10);
}

function middleOf(one: Placed): number {
  return one.y + boxHeight(one) / 2;
}

function curve({ from, to, kind }: Link, x: (one: Placed) => number): Markup {
  const [start, end] = [x(from) + BOX, x(to)];
  const bend = (start + end) / 2;
  const path = `M${start},${middleOf(from)}C${bend},${middleOf(from)} ${bend},${middleOf(to)} ${end},${middleOf(to)}`;
  const verb = kind === "there" ? "is in" : "was in";
  return html`<path class="link ${kind}" d="${path}">
    <title>${from.part.name} ${verb} ${to.part.name}</title>
  </path>`;
}

function box(one: Placed, x: number): Markup {
  const { part, lines, y } = one;
  const kind = part.state === "decommissioned" ? "gone" : "there";
  const rows = lines.map(
    (line, k) =>
      html`<text class="small ${kind}" x="${x + PAD}" y="${y + PAD + (k + 2) * LINE - 6}">${cut(line)}</text>`,
  );
  const claims = part.claims.map((by, k) => {
    const top = y + boxHeight(one) + 10 + k * (CLAIM_HEIGHT + 10);
    return html`<path class="link refused" d="M${x + 14},${top - 10}v10" />
      <rect class="part refused" x="${x}" y="${top}" width="${BOX}" height="${CLAIM_HEIGHT}" rx="7" />
      <text class="refused" x="${x + PAD}" y="${top + PAD + LINE - 6}">✗ claim refused</text>
      <text class="small refused" x="${x + PAD}" y="${top + PAD + 2 * LINE - 6}">${cut(`by ${by}`)}</text>`;
  });
  return html`<g>
    <title>${part.name}: ${part.serial}, made by ${part.maker}, with ${part.custodian}, ${part.state}</title>
    <rect class="part ${kind}" x="${x}" y="${y}" width="${BOX}" height="${boxHeight(one)}" rx="7" />
    <text x="${x + PAD}" y="${y + PAD + LINE - 6}">${cut(part.name)}</text>
    ${rows}${claims}
  </g>`;
}

function cut(text: string): string {
  return text.length <= MOST_CHARACTERS ? text : `${text.slice(0, MOST_CHARACTERS - 1)}…`;
}
