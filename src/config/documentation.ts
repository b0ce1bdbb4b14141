// The text of docs/settings.md, made from the schema.
import { settingKeys } from './keys.ts';
import { driverDefaults } from './schema.ts';

export function settingsPage(): string {
  const rows = settingKeys.map(({ path, variable, traits, description }) => {
    return `| \`${path}\` | \`${variable}\` | ${traits.expects} | ${initialOf(path)} | ${description} |`;
  });
  return `${[introduction, head, ...rows].join('\n')}\n`;
}

const introduction = `# Settings

<!-- Made by \`npm run docs\` from src/config. Do not edit. -->

A setting comes from its default, the YAML file (\`--config <file>\`), the environment and the command line; the last one
wins. \`amphi config check\` says what is wrong, \`amphi config show\` where each value came from.
`;

const head = '| setting | variable | takes | default | meaning |\n| --- | --- | --- | --- | --- |';

function initialOf(path: string): string {
  const byDriver = Object.entries(driverDefaults).flatMap(([driver, values]) =>
    values[path] === undefined ? [] : [`${driver}: \`${values[path]}\``],
  );
  if (byDriver.length > 0) return byDriver.join(', ');
  const initial = settingKeys.find((key) => key.path === path)?.schema.safeParse(undefined);
  if (initial?.success !== true || initial.data === undefined) return 'none';
  return `\`${JSON.stringify(initial.data)}\``;
}
