/** Values that were asked for last; older ones are let go of. */
export class Recent<Value> {
  private readonly kept = new Map<string, Value>();

  /** @param most How many are kept. */
  constructor(private readonly most: number) {}

  get size(): number {
    return this.kept.size;
  }

  get(key: string): Value | undefined {
    const value = this.kept.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.kept.delete(key);
    this.kept.set(key, value);
    const [oldest] = this.kept.keys();
    if (this.kept.size > this.most && oldest !== undefined) this.kept.delete(oldest);
  }
  delete(key: string): void {
    this.kept.delete(key);
  }
}
