import { useEffect, useState } from 'preact/hooks'

/** All that a page shows is in its address: `#/group/billing?filter=orders`. */
export interface Route {
  readonly hash: string
  readonly view: string
  readonly names: readonly string[]
  readonly query: Readonly<Record<string, string>>
}

export type Query = Readonly<Record<string, string | null>>

function routeOf(hash: string): Route {
  const [path = '', search = ''] = hash.replace(/^#\/?/, '').split('?', 2)
  const [view = '', ...names] = path.split('/').map(decoded)
  return { hash, view: view === '' ? 'overview' : view, names, query: Object.fromEntries(new URLSearchParams(search)) }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

/** @param link as the server gives it: its names are in escapes already */
export function hrefOf(link: string, query: Query = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? '') !== '')
  const search = new URLSearchParams(given).toString()
  return `#/${link}${search === '' ? '' : `?${search}`}`
}

export function linkTo(...parts: readonly (string | number)[]): string {
  return parts.map((part) => encodeURIComponent(String(part))).join('/')
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const onChange = () => setHash(location.hash)
    window.addEventListener('hashchange', onChange)
    return () => window.removeEventListener('hashchange', onChange)
  }, [])
  return routeOf(hash)
}

/** Another state of the same view: "back" leaves the view and not the state. */
export function change(query: Query): void {
  const { view, names, query: before } = routeOf(location.hash)
  const href = hrefOf(linkTo(view, ...names), { ...before, ...query })
  if (href === location.hash) return
  history.replaceState(history.state, '', href)
  window.dispatchEvent(new HashChangeEvent('hashchange'))
}
