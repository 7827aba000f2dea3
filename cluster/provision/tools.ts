/** The servers that baton needs and does not write itself: versions are pinned, and so is what may be downloaded. */
export type ToolName = 'nats-server' | 'toxiproxy-server';

export interface Tool {
  readonly name: ToolName;
  readonly version: string;
  /** Older ones in PATH are passed over. */
  readonly minimum: readonly [number, number];
  /** Names the binary explicitly. */
  readonly variable: string;
  readonly versionFlag: string;
  readonly go: {
    readonly module: string;
    readonly binary: string;
    readonly minimum: readonly [number, number];
  };
  readonly release: {
    /** May lag behind `version`: what stands here is what has a checksum. */
    readonly version: string;
    readonly url: (platform: string, arch: string) => string;
    /** Path of the binary inside the archive; undefined: the download is the binary. */
    readonly member: ((platform: string, arch: string) => string) | undefined;
    /** A SHA-256 from the environment pins an archive for a platform that has none here. */
    readonly pinVariable: string;
    /** By "platform-arch", from the release's own list of checksums. */
    readonly sha256: Readonly<Record<string, string>>;
  };
  /** Debian package, where its version is good enough. */
  readonly apt: string | undefined;
}

const NATS_VERSION = '2.15.2';
const NATS_RELEASE = '2.15.0';
const TOXIPROXY_VERSION = '2.12.0';

export const tools: Readonly<Record<ToolName, Tool>> = {
  'nats-server': {
    name: 'nats-server',
    version: NATS_VERSION,
    minimum: [2, 9],
    variable: 'BATON_NATS_SERVER',
    versionFlag: '--version',
    go: {
      module: `github.com/nats-io/nats-server/v2@v${NATS_VERSION}`,
      binary: 'nats-server',
      minimum: [1, 25],
    },
    release: {
      version: NATS_RELEASE,
      url: (platform, arch) =>
        `https://github.com/nats-io/nats-server/releases/download/v${NATS_RELEASE}/nats-server-v${NATS_RELEASE}-${platform}-${arch}.tar.gz`,
      member: (platform, arch) => `nats-server-v${NATS_RELEASE}-${platform}-${arch}/nats-server`,
      pinVariable: 'BATON_NATS_SERVER_SHA256',
      sha256: {
        'linux-amd64': '5d2c51caca950333aba84911df7d377f826f3a59ec36061c6539105084f65c92',
        'linux-arm64': 'cdc208f5a3f42963a52b6ab06ef65626bb870315dc936e26ba571780c6351112',
        'darwin-amd64': '5bd8b59ca5bf93fab3da2c5843cf564cd6e2e291e22ae3b861746e7ebe259b95',
        'darwin-arm64': 'e1c4e22d70bd44abfa0bcb3c16f7cf0c66f648c2e728c58924e8a1ce88913cc8',
      },
    },
    apt: 'nats-server',
  },
  'toxiproxy-server': {
    name: 'toxiproxy-server',
    version: TOXIPROXY_VERSION,
    minimum: [2, 5],
    variable: 'BATON_TOXIPROXY_SERVER',
    versionFlag: '--version',
    go: {
      module: `github.com/Shopify/toxiproxy/v2/cmd/server@v${TOXIPROXY_VERSION}`,
      binary: 'server',
      minimum: [1, 22],
    },
    release: {
      version: TOXIPROXY_VERSION,
      url: (platform, arch) =>
        `https://github.com/Shopify/toxiproxy/releases/download/v${TOXIPROXY_VERSION}/toxiproxy-server-${platform}-${arch}`,
      member: undefined,
      pinVariable: 'BATON_TOXIPROXY_SERVER_SHA256',
      sha256: {
        'linux-amd64': '556d891134a3c582dc1e1a3f7335fd55142e5965769855a00b944e13e48302fc',
        'linux-arm64': '53e770c1c3035b5a9f1bc629fce537db1f95f62b26f4ebe6e756afd701cf077c',
        'darwin-amd64': '9625bba4bd96117eedae49f982aba4c2f462b268dd406c9ff18186f9b1ef8afe',
        'darwin-arm64': 'aa299966b52f16a8594f1cd0d1e9049dc2e8fe2c04a90c19860e2719b2b95d15',
      },
    },
    apt: undefined,
  },
};
