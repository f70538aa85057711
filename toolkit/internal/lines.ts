/** A line of a file, by the bytes at which it starts and the next one does. */
export interface FileLine {
  readonly start: number;
  readonly end: number;
  /** Without its end; undefined for one that is too long. */
  readonly text: string | undefined;
}

/**
 * Cuts bytes into lines of ASCII. What follows the last end isn't a line yet. Holds one line.
 *
 * @param start Where in the file the bytes begin.
 * @param longest Bytes of a line that are looked at.
 */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  start: number,
  longest: number,
): AsyncGenerator<FileLine> {
  let [begin, length] = [start, 0];
  let parts: Uint8Array[] = [];
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const newline = piece.indexOf(0x0a, at);
      const part = piece.subarray(at, newline < 0 ? piece.length : newline);
      length += part.length;
      if (length <= longest) parts.push(part);
      else parts = [];
      if (newline < 0) break;
      const end = begin + length + 1;
      yield { start: begin, end, text: length <= longest ? Buffer.concat(parts).toString("latin1") : undefined };
      [begin, length, parts, at] = [end, 0, [], newline + 1];
    }
  }
}
