/** Sections of an ini file by name, each a map of its keys; what stands before the first section is in `DEFAULT`. */
export type Ini = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Reads an ini file as OpenStack's oslo.config writes it: `[section]`, `key = value`, comments on lines of their own
 * begun by `#` or `;`. A key given twice has its last value. Throws an Error that names the line it can't read.
 */
export function parseIni(text: string): Ini {
  const sections = new Map<string, Map<string, string>>();
  let current = sectionOf(sections, 'DEFAULT');
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[([^\]]+)\]$/.exec(line)?.[1];
    if (header !== undefined) {
      current = sectionOf(sections, header.trim());
      continue;
    }
    const end = line.indexOf('=');
    // The line itself may hold a secret, so only its number is told.
    if (end <= 0) throw new Error(`line ${index + 1}: expected [section], key = value or a comment`);
    current.set(line.slice(0, end).trim(), line.slice(end + 1).trim());
  }
  return sections;
}

function sectionOf(sections: Map<string, Map<string, string>>, name: string): Map<string, string> {
  const section = sections.get(name) ?? new Map<string, string>();
  sections.set(name, section);
  return section;
}
