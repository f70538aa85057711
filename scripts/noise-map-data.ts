// Sound levels of households that don't exist, for scenarios/noise-map.yaml. The model, in dB(A):
//   an hour    what the street has by day, less up to 10 at night, and 2 of chance (a standard deviation)
//   a street   68 main, 60 side, 50 courtyard; 4 less where a park is near; and 3 of chance for each household
//   Lden       the mean over 24 hours of the power of the sound, with 5 more from 19 to 23 h and 10 more from 23 to 7 h
//              (Directive 2002/49/EC, Annex I), here less 55, from which on the directive has noise mapped
const HOUSEHOLDS = 150;
const DAY = "2026-05-30";
const STREETS = { main: 68, side: 60, courtyard: 50 } as const;
type Street = keyof typeof STREETS;

/** Of ten households each: how many are at a main street and how many at a side street. */
const DISTRICTS = [
  { name: "station", main: 6, side: 3, less: 0 },
  { name: "market", main: 3, side: 5, less: 0 },
  { name: "harbour", main: 2, side: 3, less: 0 },
  { name: "park", main: 0, side: 3, less: 4 },
] as const;

/** The file's text: a row a household. The same seed gives the same file. */
export function noiseMapCsv(seed: number): string {
  const random = generator(seed);
  const chance = (deviation: number) =>
    deviation * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const rows = DISTRICTS.flatMap(({ name, main, side, less }) =>
    Array.from({ length: HOUSEHOLDS }, (_, k) => {
      const place = k % 10;
      const street: Street = place < main ? "main" : place < main + side ? "side" : "courtyard";
      const day = STREETS[street] - less + chance(3);
      const hours = Array.from(
        { length: 24 },
        (_, hour) => day - 5 * (1 + Math.cos((hour - 3) * (Math.PI / 12))) + chance(2),
      );
      return `${name}-${k + 1},${name},${street},${DAY},${(levelOf(hours) - 55).toFixed(1)}`;
    }),
  );
  return ["household,district,street,day,over_55", ...rows, ""].join("\n");
}

/** The day-evening-night level of 24 hours. */
function levelOf(hours: readonly number[]): number {
  const penalty = (hour: number) => (hour < 7 || hour >= 23 ? 10 : hour >= 19 ? 5 : 0);
  const power = hours.reduce((sum, level, hour) => sum + 10 ** ((level + penalty(hour)) / 10), 0);
  return 10 * Math.log10(power / hours.length);
}

/** Numbers from 0 to below 1 by a linear congruence (Numerical Recipes): chance enough for made-up data. */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
