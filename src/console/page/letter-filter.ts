import type { LetterFilter } from '../letters/letter-filter.js'

export const filters = [
  { name: 'reason', title: 'Reason' },
  { name: 'error', title: 'Error class' },
  { name: 'origin', title: 'Origin' },
  { name: 'group', title: 'Group' },
] as const

/** Which letters are meant, as the address says it. */
export function filterOf(query: Readonly<Record<string, string>>): LetterFilter {
  const given = filters.flatMap(({ name }) => ((query[name] ?? '') === '' ? [] : [[name, query[name]] as const]))
  return Object.fromEntries(given)
}

/** As an address says it. */
export function textsOf(filter: LetterFilter): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, String(value)]))
}
