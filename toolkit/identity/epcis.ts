import type { PartId } from "./epc.js";
import type { PartEvent } from "./part-events.js";
import { type PartNode, partsOf } from "./provenance.js";

/** Where a tree was read: events and parts without a known EPC are named after it. */
export interface ProvenancePlace {
  readonly chainId: bigint;
  /** Where `Provenance` is. */
  readonly contract: string;
}

/** A GS1 EPCIS 2.0 document, as JSON. */
export interface EpcisDocument {
  readonly "@context": readonly (string | Readonly<Record<string, string>>)[];
  readonly type: "EPCISDocument";
  readonly schemaVersion: "2.0";
  readonly creationDate: string;
  readonly epcisBody: { readonly eventList: readonly EpcisEvent[] };
}

/** An event in the words of EPCIS 2.0 and the Core Business Vocabulary 2.0. */
export interface EpcisEvent {
  readonly type: "ObjectEvent" | "AggregationEvent" | "TransactionEvent";
  readonly eventID: string;
  readonly eventTime: string;
  readonly eventTimeZoneOffset: "+00:00";
  readonly action: "ADD" | "OBSERVE" | "DELETE";
  readonly bizStep: string;
  readonly disposition?: string;
  readonly epcList?: readonly string[];
  readonly parentID?: string;
  readonly childEPCs?: readonly string[];
  readonly bizTransactionList?: readonly { readonly type: string; readonly bizTransaction: string }[];
  readonly sourceList?: readonly { readonly type: string; readonly source: string }[];
  readonly destinationList?: readonly { readonly type: string; readonly destination: string }[];
  /** What EPCIS has no word for. */
  readonly [extension: `iotchain:${string}`]: string | readonly string[];
}

const CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";
const EXTENSION = "urn:iotchain:epcis:";

/**
 * The history of a tree as an EPCIS 2.0 document: what partners' systems capture. Accounts are did:pkh, devices did:ethr; parts whose
 * EPC isn't known are named by the contract and their id. Licences have no word in EPCIS and are left out.
 *
 * @param created When the document is made, Unix seconds; the latest event's time if left out.
 *
 * @example
 * const tree = await readProvenance(provider, Provenance, device, { serials });
 * await writeFile("device.epcis.json", JSON.stringify(epcisDocument(tree, { chainId, contract: Provenance })));
 */
export function epcisDocument(tree: PartNode, place: ProvenancePlace, created?: bigint): EpcisDocument {
  const parts = partsOf(tree);
  const namer = new Namer(place, parts);
  const events = new Map(parts.flatMap(({ history }) => history.map((event) => [idOf(event), event])));
  const ordered = [...events.values()].sort((a, b) => a.block - b.block || a.index - b.index);
  const designs = Map.groupBy(
    ordered.filter((event) => event.kind === "design-included"),
    ({ chip }) => chip,
  );
  const made = (chip: PartId) => (designs.get(chip) ?? []).map(({ design }) => namer.part(design));
  return {
    "@context": [CONTEXT, { iotchain: EXTENSION }],
    type: "EPCISDocument",
    schemaVersion: "2.0",
    creationDate: isoTime(created ?? ordered.at(-1)?.time ?? 0n),
    epcisBody: { eventList: ordered.flatMap((event) => wordsOf(event, namer, made)) },
  };
}

/** URIs of parts, accounts and events. */
class Namer {
  private readonly serials: ReadonlyMap<PartId, string>;
  private readonly sites: ReadonlySet<PartId>;

  constructor(
    private readonly place: ProvenancePlace,
    parts: readonly PartNode[],
  ) {
    this.serials = new Map(parts.flatMap(({ id, serial }) => (serial === undefined ? [] : [[id, serial]])));
    this.sites = new Set(parts.filter(({ rank }) => rank === "installation").map(({ id }) => id));
  }

  part(id: PartId): string {
    return this.serials.get(id) ?? this.ours(id);
  }

  account(address: string): string {
    return `did:pkh:eip155:${this.place.chainId}:${address}`;
  }

  device(device: string): string {
    return `did:ethr:0x${this.place.chainId.toString(16)}:${device}`;
  }

  ours(fragment: string): string {
    return `${this.account(this.place.contract)}#${fragment}`;
  }

  /** CBV has its own words for what is put into a site. */
  steps(parent: PartId): { in: string; out: string } {
    return this.sites.has(parent) ? { in: "installing", out: "removing" } : { in: "assembling", out: "disassembling" };
  }
}

function wordsOf(event: PartEvent, namer: Namer, made: (chip: PartId) => readonly string[]): EpcisEvent[] {
  const at = {
    eventID: namer.ours(idOf(event)),
    eventTime: isoTime(event.time),
    eventTimeZoneOffset: "+00:00",
  } as const;
  const object = (part: PartId) => ({ type: "ObjectEvent", ...at, epcList: [namer.part(part)] }) as const;
  const link = (parent: PartId, child: PartId, action: "ADD" | "DELETE", bizStep: string): EpcisEvent => ({
    type: "AggregationEvent",
    ...at,
    parentID: namer.part(parent),
    childEPCs: [namer.part(child)],
    action,
    bizStep,
  });
  switch (event.kind) {
    case "commissioned": {
      const designs = made(event.part);
      const words = { action: "ADD", bizStep: "commissioning", disposition: "active" } as const;
      const maker = { "iotchain:maker": namer.account(event.maker) };
      return [
        { ...object(event.part), ...words, ...maker, ...(designs.length > 0 && { "iotchain:designs": designs }) },
      ];
    }
    case "claim-refused": {
      const words = { action: "OBSERVE", bizStep: "inspecting", disposition: "no_pedigree_match" } as const;
      return [{ ...object(event.part), ...words, "iotchain:claimant": namer.account(event.claimant) }];
    }
    case "bound":
    case "binding-refused": {
      const disposition = event.kind === "bound" ? "encoded" : "mismatch_instance";
      const device = { "iotchain:device": namer.device(event.device) };
      return [{ ...object(event.part), action: "OBSERVE", bizStep: "encoding", disposition, ...device }];
    }
    case "assembled":
      return [link(event.parent, event.child, "ADD", namer.steps(event.parent).in)];
    case "disassembled":
      return [link(event.parent, event.child, "DELETE", namer.steps(event.parent).out)];
    case "replaced": {
      const [out, put] = [event.removed, event.added].map((child, k) =>
        link(event.parent, child, k === 0 ? "DELETE" : "ADD", "replacing"),
      );
      return [out, put].flatMap((one, k) => (one ? [{ ...one, eventID: `${one.eventID}-${k}` }] : []));
    }
    case "handed-over":
    case "accepted":
    case "cancelled":
      return [custodyWords(event, object(event.part), namer)];
    case "decommissioned":
      return [{ ...object(event.part), action: "DELETE", bizStep: "decommissioning", disposition: "inactive" }];
    default:
      return [];
  }
}

/** A hand-over is a despatch advice that the receiver answers by a receiving advice; both name the same transaction. */
function custodyWords(
  event: Extract<PartEvent, { kind: "handed-over" | "accepted" | "cancelled" }>,
  object: Pick<EpcisEvent, "eventID" | "eventTime" | "eventTimeZoneOffset" | "epcList">,
  namer: Namer,
): EpcisEvent {
  const bizTransaction = namer.ours(`${event.part}-${event.number}`);
  if (event.kind === "cancelled") {
    const bizTransactionList = [{ type: "desadv", bizTransaction }];
    const words = { action: "OBSERVE", bizStep: "void_shipping", disposition: "in_progress" } as const;
    return { ...object, type: "ObjectEvent", ...words, bizTransactionList, "iotchain:by": namer.account(event.by) };
  }
  const parties = {
    sourceList: [{ type: "possessing_party", source: namer.account(event.from) }],
    destinationList: [{ type: "possessing_party", destination: namer.account(event.to) }],
  };
  if (event.kind === "handed-over") {
    const words = { action: "OBSERVE", bizStep: "shipping", disposition: "in_transit" } as const;
    return {
      ...object,
      type: "ObjectEvent",
      ...words,
      bizTransactionList: [{ type: "desadv", bizTransaction }],
      ...parties,
    };
  }
  const words = { action: "ADD", bizStep: "receiving", disposition: "in_progress" } as const;
  return {
    ...object,
    type: "TransactionEvent",
    ...words,
    bizTransactionList: [{ type: "recadv", bizTransaction }],
    ...parties,
  };
}

function idOf({ transaction, index }: PartEvent): string {
  return `${transaction}-${index}`;
}

function isoTime(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
