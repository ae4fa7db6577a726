/** The fields that were given: `undefined` counts as left out, so it never takes the place of a default. */
export function given<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields
}
