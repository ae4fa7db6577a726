import type { Route } from './route.js'

/** What a view is told at each look. */
export function watchedOf({
  view,
  names: [one = '', two = '', three = ''],
  query,
}: Route): Readonly<Record<string, string>> {
  const list = {
    ...(query['filter'] === undefined ? {} : { filter: query['filter'] }),
    ...(query['most'] === undefined ? {} : { most: query['most'] }),
  }
  switch (view) {
    case 'overview':
      return { view }
    case 'groups':
      return { view, ...list, ...(query['order'] === undefined ? {} : { order: query['order'] }) }
    case 'group':
      return { view, group: one, ...list }
    case 'partition':
      return { view, group: one, topic: two, partition: three }
    case 'letters':
      return { view }
    default:
      return { view: 'other' }
  }
}
