import { fixedPoint } from "./sources.js";
import { ReplayError } from "./world.js";

/** A decimal of a scenario as a fixed-point number. Errors: ITC_REPLAY_BAND for more decimals than the scale has. */
export function inUnits(text: string, scale: number): bigint {
  const value = fixedPoint(text, scale);
  if (value !== undefined && value !== null) return value;
  const what = `${text} is no number of at most ${scale} decimals.`;
  throw new ReplayError("ITC_REPLAY_BAND", what, "Take no more decimals than the scale has.");
}

/** A decimal such as "0.5" in millionths: how privacy loss is counted. Errors as above. */
export function millionths(text: string): bigint {
  return inUnits(text, 6);
}
