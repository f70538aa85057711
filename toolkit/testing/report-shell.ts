import type { Report } from "./report.js";
import { count, formatDuration } from "./report-format.js";
import { html, type Markup, trusted } from "./report-html.js";
import { STYLE } from "./report-style.js";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'";

/** A page that opens from disk and loads nothing. */
export function pageOf(title: string, head: Markup, main: Markup, end: Markup): string {
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>${title}</title>
      <style>
        ${trusted(STYLE)}
      </style>
    </head>
    <body>
      ${head}
      <main>${main}</main>
      ${end}
    </body>
  </html>`;
  return `<!doctype html>\n${page.markup}\n`;
}

/** Which run a page is of, and how to have it again. */
export function foot({ scenario, seed, chain, times }: Report): Markup {
  return html`<footer>
    <div>
      <p>
        Scenario <strong>${scenario}</strong>, seed <strong>${String(seed)}</strong>. The same seed gives the same
        report, times aside. To run it again: <code>npm start</code>
      </p>
      <p>
        Chain ${chain.name} (id ${String(chain.id)}), ${count(chain.blocks, "block")}. Started ${times.startedAt}, took
        ${formatDuration(times.ms)}.
      </p>
    </div>
  </footer>`;
}
