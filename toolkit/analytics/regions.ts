import { IotchainError } from "../errors.js";

/** A text or number that isn't a geohash or a cell of one. */
export class RegionError extends IotchainError {}

const DIGITS = "0123456789bcdefghjkmnpqrstuvwxyz";
const BITS_A_DIGIT = 5;
const LONGEST = 12;
const CELL_BITS = 64;

/**
 * The cell that `DeviceRegions` has for a geohash: its position bits at the top, then a 1, then zeros. A geohash of 4 characters is about
 * 39 km by 20 km at the equator, one of 5 about 5 km by 5 km, and everyone whose device is in it can be anywhere in it.
 * Errors: ITC_REGIONS_LENGTH, ITC_REGIONS_CHARACTER.
 *
 * @param geohash 1 to 12 characters, lower case.
 * @example
 * await regions.place([device], cellOfGeohash("u33d"));
 */
export function cellOfGeohash(geohash: string): bigint {
  if (geohash.length === 0 || geohash.length > LONGEST) {
    const what = `A geohash has 1 to ${LONGEST} characters, "${geohash}" has ${geohash.length}.`;
    throw new RegionError("ITC_REGIONS_LENGTH", what, "Shorten it; for everywhere, use region 0.");
  }
  let bits = 0n;
  for (const character of geohash) {
    const digit = DIGITS.indexOf(character);
    if (digit < 0) {
      const what = `"${character}" in "${geohash}" is no character of a geohash.`;
      throw new RegionError("ITC_REGIONS_CHARACTER", what, "Use lower-case letters but a, i, l and o, and digits.");
    }
    bits = (bits << BigInt(BITS_A_DIGIT)) | BigInt(digit);
  }
  const level = geohash.length * BITS_A_DIGIT;
  return ((bits << 1n) | 1n) << BigInt(CELL_BITS - 1 - level);
}

/**
 * The geohash of a cell; the inverse of `cellOfGeohash`.
 * Errors: ITC_REGIONS_CELL for what isn't a cell, ITC_REGIONS_LEVEL for one that no geohash has, as the number of its position bits is not
 * 5, 10, … 60.
 */
export function geohashOfCell(cell: bigint): string {
  if (cell <= 0n || cell >> BigInt(CELL_BITS) !== 0n) {
    throw new RegionError("ITC_REGIONS_CELL", `${cell} is not a cell.`, "Give a number from 1 to 2^64 - 1.");
  }
  const bits = cell.toString(2).padStart(CELL_BITS, "0");
  const level = bits.lastIndexOf("1");
  if (level === 0 || level % BITS_A_DIGIT !== 0 || level > LONGEST * BITS_A_DIGIT) {
    const what = `Cell ${cell} has ${level} position bits; a geohash has 5 a character, at most ${LONGEST} characters.`;
    throw new RegionError("ITC_REGIONS_LEVEL", what, "Give a cell that was made of a geohash.");
  }
  const groups = bits.slice(0, level).match(/.{5}/g) ?? [];
  return groups.map((group) => DIGITS.charAt(Number.parseInt(group, 2))).join("");
}
