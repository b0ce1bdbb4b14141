import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: ['./src/db/schema/runtime.ts', './src/db/schema/projections.ts', './src/db/schema/observations.ts'],
  out: './drizzle',
});
