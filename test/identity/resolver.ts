import { Resolver } from "did-resolver";
import type { Provider } from "ethers";
import { getResolver } from "ethr-did-resolver";

/** The unmodified did:ethr resolver over one registry. */
export function resolverOf(provider: Provider, chainId: bigint, registry: string): Resolver {
  type Networks = Extract<Parameters<typeof getResolver>[0], { networks?: unknown }>;
  // Its types come from the CommonJS half of ethers and ours from the other: the same classes with other private parts.
  const options = { networks: [{ chainId, registry, provider }] } as unknown as Networks;
  return new Resolver(getResolver(options));
}
