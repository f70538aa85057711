import { formatDuration, formatNumber } from "./report-format.js";

const REDRAW_MS = 100;
const NAME_WIDTH = 34;

/**
 * Tells how a run gets on: one line that is redrawn on a terminal, a plain line a step elsewhere. `NO_COLOR` is heeded.
 *
 * @example
 * const progress = new Progress();
 * progress.step("Anchor readings", 1, 6, 24_000);
 * progress.tick(256);
 * progress.done("118 batches");
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #colour: boolean;
  #label = "";
  #total: number | undefined;
  #ticks = 0;
  #startedAt = 0;
  #drawnAt = 0;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
    this.#colour = stream.isTTY === true && (process.env.NO_COLOR ?? "") === "";
  }

  /** Starts step `index` of `count`, counted from 1; `total` is how many ticks it will take, if that is known. */
  step(name: string, index: number, count: number, total?: number): void {
    this.#label = `[${String(index).padStart(String(count).length)}/${count}] ${name.padEnd(NAME_WIDTH)}`;
    this.#total = total;
    this.#ticks = 0;
    this.#startedAt = performance.now();
    this.#drawnAt = 0;
    this.#draw();
  }

  /** Counts `n` more pieces of the step's work. */
  tick(n = 1): void {
    this.#ticks += n;
    this.#draw();
  }

  /** Ends the step; `note` says what came of it. */
  done(note: string): void {
    this.#end("✓", 32, `${note}  ${this.#quiet(formatDuration(this.#elapsed()))}`);
  }

  /** Ends the step as failed. */
  fail(message: string): void {
    this.#end("✗", 31, message);
  }

  #draw(): void {
    const now = performance.now();
    if (this.#stream.isTTY !== true || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    const line = `  ${this.#label}  ${this.#pace()}`;
    this.#stream.write(`\r\u001b[2K${line.slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }

  /** How much is done, how fast, and how long the rest will take at that rate. */
  #pace(): string {
    if (this.#ticks === 0) return "";
    const rate = (1_000 * this.#ticks) / Math.max(this.#elapsed(), 1);
    const speed = `${formatNumber(rate, rate < 10 ? 1 : 0)}/s`;
    if (this.#total === undefined) return `${formatNumber(this.#ticks)}  ${speed}`;
    const left = formatDuration((1_000 * Math.max(0, this.#total - this.#ticks)) / rate);
    const share = Math.floor((100 * this.#ticks) / Math.max(this.#total, 1));
    return `${share} %  ${formatNumber(this.#ticks)} of ${formatNumber(this.#total)}  ${speed}  ${left} left`;
  }

  #end(mark: string, code: number, text: string): void {
    const clear = this.#stream.isTTY === true ? "\r\u001b[2K" : "";
    this.#stream.write(`${clear}${this.#paint(code, mark)} ${this.#label}  ${text}\n`);
  }

  #elapsed(): number {
    return performance.now() - this.#startedAt;
  }

  #quiet(text: string): string {
    return this.#paint(2, text);
  }

  #paint(code: number, text: string): string {
    return this.#colour ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}
