import { useEffect } from 'preact/hooks'

/** The view whose beginning has, or had, the focus. */
let arrivedAt: string | null = null
/** From where each view was left: the address of the link that had the focus. */
const left = new Map<string, string>()
let before = location.hash
/** How many views lie behind this one; kept with each, as browsers do not tell which way somebody went. */
let depth = depthOf(history.state) ?? 0
history.replaceState({ depth }, '')

function depthOf(state: unknown): number | null {
  const { depth } = (state ?? {}) as { readonly depth?: unknown }
  return typeof depth === 'number' ? depth : null
}

function noteLeaving(): void {
  const { activeElement } = document
  const link = activeElement?.closest('[data-row]')?.querySelector('a')
  if (link != null) left.set(pathOf(before), link.getAttribute('href') ?? '')
}

function pathOf(hash: string): string {
  return hash.split('?', 1)[0] ?? ''
}

/** Rows of the view that is left are still there. */
window.addEventListener('hashchange', () => {
  noteLeaving()
  const known = depthOf(history.state)
  if (known === null) history.replaceState({ depth: depth + 1 }, '')
  depth = known ?? depth + 1
  before = location.hash
})

/** Where this view was opened from; what was in the tab before the console is none of it. */
export function goBack(): void {
  if (depth > 0) history.back()
  else if (pathOf(location.hash) !== '#/overview') location.hash = '#/overview'
}

/**
 * Where a view begins for who has no mouse: at the row it was left from, as soon as it is there again, else at its title.
 *
 * @param hash the address of what is drawn, which may be one behind that of the browser
 * @param isFilled its rows are there
 */
export function useFocus(hash: string, isFilled: boolean): void {
  useEffect(() => {
    const path = pathOf(hash)
    // Also where the address was changed without going anywhere, as when the token is taken out of it.
    before = hash
    // Where the page begins, the browser has put the focus.
    arrivedAt ??= path
    if (arrivedAt === path) return
    const title = document.querySelector<HTMLElement>('h1')
    const href = left.get(path)
    if (href === undefined) {
      arrivedAt = path
      title?.focus()
      return
    }
    const link = [...document.querySelectorAll<HTMLElement>('[data-row] a')].find(
      (one) => one.getAttribute('href') === href,
    )
    if (link === undefined && !isFilled) return
    arrivedAt = path
    left.delete(path)
    ;(link ?? title)?.focus()
  })
}

/** Whether the view of the address is drawn: from then on nothing moves the focus but who sits there. */
export function hasArrived(): boolean {
  return arrivedAt === pathOf(location.hash)
}
