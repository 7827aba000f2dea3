import { defineConfig, type ViteUserConfig } from 'vitest/config';

const common = { pool: 'forks', testTimeout: 30_000, hookTimeout: 180_000 } as const;

/** `logic` needs nothing but the sources; `system` starts real processes from the compiled program. */
const config: ViteUserConfig = defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...common,
          name: 'logic',
          include: ['test/{unit,golden,property,sim}/**/*.test.ts'],
        },
      },
      {
        test: {
          ...common,
          name: 'system',
          include: ['test/{integration,e2e}/**/*.test.ts'],
          globalSetup: ['test/setup/build.ts'],
        },
      },
    ],
  },
});

export default config;
