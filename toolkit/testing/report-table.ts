import { type Content, html, type Markup } from "./report-html.js";

/**
 * A table that scrolls sideways on a phone. A column whose title ends in `#` holds numbers; the first column heads its
 * row; rows marked in `broken` stand out. Nothing at all when there are no rows.
 */
export function table(
  label: string,
  columns: readonly string[],
  rows: readonly (readonly Content[])[],
  broken: readonly boolean[] = [],
): Markup | undefined {
  if (rows.length === 0) return undefined;
  const kinds = columns.map((column) => (column.endsWith("#") ? "number" : "text"));
  const head = columns.map((column, at) => html`<th scope="col" class="${kinds[at]}">${column.replace(/#$/, "")}</th>`);
  const body = rows.map((cells, row) => {
    const [first, ...rest] = cells;
    return html`<tr class="${broken[row] === true ? "broken" : "fine"}">
      <th scope="row">${first}</th>
      ${rest.map((cell, at) => html`<td class="${kinds[at + 1]}">${cell}</td>`)}
    </tr>`;
  });
  return html`<div class="scroll" role="region" aria-label="${label}" tabindex="0">
    <table>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

/** A bar as long as `value` is beside `most`; the figure itself stands next to it. */
export function meter(value: number, most: number): Markup {
  const share = most === 0 ? 0 : (100 * value) / most;
  const least = value === 0 ? 0 : 2;
  const style = `width:${share.toFixed(2)}%;min-width:${least}px`;
  return html`<span class="meter" aria-hidden="true"><i style="${style}"></i></span>`;
}
