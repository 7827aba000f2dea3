/** The servers that baton needs and does not write itself: versions are pinned, and so is what may be downloaded. */
export type ToolName = 'nats-server' | 'toxiproxy-server';

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** Names the binary explicitly. */
  readonly variable: string;
  readonly versionFlag: string;
  readonly go: {
    readonly module: string;
    readonly binary: string;
    readonly minimum: readonly [number, number];
  };
  readonly release: {
    readonly url: (platform: string, arch: string) => string;
    /** Path of the binary inside the archive; undefined: the download is the binary. */
    readonly member: ((platform: string, arch: string) => string) | undefined;
    /** A SHA-256 from the environment pins an archive for a platform that has none here. */
    readonly pinVariable: string;
    /** By "platform-arch". Only checksums that were verified stand here. */
    readonly sha256: Readonly<Record<string, string>>;
  };
  /** Debian package, where its version is good enough. */
  readonly apt: string | undefined;
}

const NATS_VERSION = '2.15.2';
const TOXIPROXY_VERSION = '2.12.0';

export const tools: Readonly<Record<ToolName, Tool>> = {
  'nats-server': {
    name: 'nats-server',
    version: NATS_VERSION,
    variable: 'BATON_NATS_SERVER',
    versionFlag: '--version',
    go: {
      module: `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`,
      binary: 'nats-server',
      minimum: [1, 25],
    },
    release: {
      url: (platform, arch) =>
        `https://github.com/nats-io/nats-server/releases/download/v${NATS_VERSION}/nats-server-v${NATS_VERSION}-${platform}-${arch}.tar.gz`,
      member: (platform, arch) => `nats-server-v${NATS_VERSION}-${platform}-${arch}/nats-server`,
      pinVariable: 'BATON_NATS_SERVER_SHA256',
      sha256: {},
    },
    apt: 'nats-server',
  },
  'toxiproxy-server': {
    name: 'toxiproxy-server',
    version: TOXIPROXY_VERSION,
    variable: 'BATON_TOXIPROXY_SERVER',
    versionFlag: '--version',
    go: {
      module: `github.com/Shopify/toxiproxy/v2/cmd/server@v${TOXIPROXY_VERSION}`,
      binary: 'server',
      minimum: [1, 22],
    },
    release: {
      url: (platform, arch) =>
        `https://github.com/Shopify/toxiproxy/releases/download/v${TOXIPROXY_VERSION}/toxiproxy-server-${platform}-${arch}`,
      member: undefined,
      pinVariable: 'BATON_TOXIPROXY_SERVER_SHA256',
      sha256: {},
    },
    apt: undefined,
  },
};
