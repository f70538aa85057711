import type { Report } from "./report.js";

/** The report as one HTML page that opens from disk and loads nothing. */
export function renderPage(report: Report): string {
  return report.title;
}
