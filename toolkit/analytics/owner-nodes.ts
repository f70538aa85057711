/** What the nodes of an owner are taken from: a tree of the shape of RFC 9162, where a lone right-most node moves up. */
export interface NodeSource<Node, Place> {
  /** How many leaves there are. */
  readonly size: number;
  /** The node at a place of a level; leaves are at height 0. */
  node(height: number, place: number): Node;
  /** The way from it to the root. */
  place(height: number, place: number): Place;
}

/** Where an owner's leaves lie: from `first` up to `end`, which is not among them. Empty for whom there is none. */
export function ownerRange(
  leaves: readonly { readonly owner: string }[],
  owner: string,
): { first: number; end: number } {
  const key = owner.toLowerCase();
  const isOwners = (leaf: { readonly owner: string }): boolean => leaf.owner.toLowerCase() === key;
  const first = leaves.findIndex(isOwners);
  return first === -1 ? { first: 0, end: 0 } : { first, end: leaves.findLastIndex(isOwners) + 1 };
}

/**
 * The fewest nodes below which a range of leaves lies, from left to right: at most two a level. This is what challenges show of an owner.
 *
 * @param end The first leaf after the range.
 */
export function nodesOfRange<Node, Place>(
  tree: NodeSource<Node, Place>,
  first: number,
  end: number,
): { nodes: Node[]; places: Place[] } {
  const left: [height: number, place: number][] = [];
  const right: [height: number, place: number][] = [];
  let [from, to] = [first, end];
  for (let height = 0, width = tree.size; from < to; height++, width = Math.ceil(width / 2)) {
    if (width === 1 || from % 2 === 1) left.push([height, from++]);
    // A lone right-most node moves up; another even one at the end of the range goes no further.
    if (from < to && to % 2 === 1 && to < width) right.push([height, --to]);
    [from, to] = [Math.ceil(from / 2), Math.ceil(to / 2)];
  }
  const places = [...left, ...right.reverse()];
  return {
    nodes: places.map(([height, place]) => tree.node(height, place)),
    places: places.map(([height, place]) => tree.place(height, place)),
  };
}
