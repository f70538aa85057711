/** Whether the verifier has the keys of the development set-up. Written by scripts/zk-setup.ts. */
export const DEVELOPMENT_KEYS: boolean = true;
