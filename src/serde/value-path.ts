/** Dotted path of a field or an array's item below `path`. */
export function childPath(path: string, key: string | number): string {
  return path === '' ? String(key) : `${path}.${key}`
}
