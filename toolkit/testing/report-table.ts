import { count } from "./report-format.js";
import { type Content, html, type Markup } from "./report-html.js";

const MOST_ROWS = 60;

/**
 * A table that scrolls sideways on a phone. A column whose title ends in `#` holds numbers; the first column heads its
 * row; rows marked in `broken` stand out. Of a long table the first `most` rows and the broken ones are shown.
 * Nothing at all when there are no rows.
 */
export function table(
  label: string,
  columns: readonly string[],
  rows: readonly (readonly Content[])[],
  broken: readonly boolean[] = [],
  most = MOST_ROWS,
): Markup | undefined {
  if (rows.length === 0) return undefined;
  const kinds = columns.map((column) => (column.endsWith("#") ? "number" : "text"));
  const head = columns.map((column, at) => html`<th scope="col" class="${kinds[at]}">${column.replace(/#$/, "")}</th>`);
  const shown = rows.flatMap((cells, at) => {
    const isBroken = broken[at] === true;
    return at < most || isBroken ? [tableRow(cells, kinds, isBroken)] : [];
  });
  const hidden = rows.length - shown.length;
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${shown}
      </tbody>
    </table>
    ${hidden > 0 && html`<p class="quiet">${count(hidden, "more row")} in report.json.</p>`}
  </div>`;
}

function tableRow([first, ...rest]: readonly Content[], kinds: readonly string[], isBroken: boolean): Markup {
  return html`<tr class="${isBroken ? "broken" : "fine"}">
    <th scope="row">${first}</th>
    ${rest.map((cell, at) => html`<td class="${kinds[at + 1]}">${cell}</td>`)}
  </tr>`;
}

/** A bar as long as `value` is beside `most`; the figure itself stands next to it. */
export function meter(value: number, most: number): Markup {
  const share = most === 0 ? 0 : (100 * value) / most;
  const least = value === 0 ? 0 : 2;
  const style = `width:${share.toFixed(2)}%;min-width:${least}px`;
  return html`<span class="meter" aria-hidden="true"><i style="${style}"></i></span>`;
}
