import { useEffect, useRef } from 'preact/hooks'
import { hasArrived } from './focus.js'
import { HeldKeys } from './held-keys.js'

/** What a key does; rows and the filter are found in the page itself. */
export interface KeyActions {
  readonly lookNow: () => void
  readonly pause: () => void
  readonly help: () => void
  readonly copy: () => void
  readonly back: () => void
  /** Says why a key did nothing. */
  readonly tell: (why: string) => void
}

/** After `g`. */
const views: Readonly<Record<string, string>> = {
  o: 'overview',
  g: 'groups',
  d: 'letters',
  t: 'topics',
  s: 'shed',
  x: 'transactions',
}

export const keyMap: readonly (readonly [keys: string, does: string])[] = [
  ['j k ↓ ↑', 'next and previous row'],
  ['Enter', 'opens the row'],
  ['Esc', 'back to the row it was opened from'],
  ['] [', 'next and previous trouble'],
  ['/', 'filter'],
  ['g, then o g d t s x', 'overview, groups, dead letters, topics, shed, transactions'],
  ['.', 'actions of the row'],
  ['r', 'looks now'],
  ['p', 'pauses, and goes on'],
  ['y', 'copies the sentence with its address'],
  ['?', 'this help'],
]

const off = 'tidemark-keys'

export function lettersAreOff(): boolean {
  return localStorage.getItem(off) === 'off'
}

export function switchLetters(isOn: boolean): void {
  if (isOn) localStorage.removeItem(off)
  else localStorage.setItem(off, 'off')
}

export function useKeys(actions: KeyActions, isThere: () => boolean): void {
  // Of the page and not of one drawing of it: a look may come between two keys.
  const going = useRef(false)
  const held = useRef(new HeldKeys()).current
  useEffect(() => {
    const take = (key: string): boolean => {
      const wasGoing = going.current
      going.current = false
      if (wasGoing && Object.hasOwn(views, key)) location.hash = `#/${views[key]}`
      else if (key === 'g') going.current = true
      else {
        const done = press(key, actions, isThere())
        if (done === 'early') held.hold(key)
        else if (done === 'not-ours') return false
        else if (done !== 'done') actions.tell(done.why)
      }
      return true
    }
    held.use({ isThere, take })
    const onKey = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event)) return
      const { key } = event
      if (key.length === 1 && lettersAreOff()) return
      if (held.follows(key) || take(key)) event.preventDefault()
    }
    const forget = () => held.forget()
    document.addEventListener('keydown', onKey)
    document.addEventListener('pointerdown', forget)
    return () => {
      document.removeEventListener('keydown', onKey)
      document.removeEventListener('pointerdown', forget)
    }
  })
}

function isTyping({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (document.querySelector('dialog[open]') !== null) return true
  if (!target.matches('input, textarea, select')) return false
  // Out of the field first; the next one goes back.
  if (key === 'Escape') target.blur()
  return true
}

/** `early`: what it is for may still come. */
type Pressed = 'done' | 'not-ours' | 'early' | { readonly why: string }

function press(key: string, actions: KeyActions, isThere: boolean): Pressed {
  const { lookNow, pause, help, copy, back } = actions
  const inView = ofView(key)
  if (inView !== null) {
    // Before, the focus goes to where the view begins, and letters that follow would not be where this key led to.
    if (hasArrived() && inView.act()) return 'done'
    return isThere ? { why: inView.why } : 'early'
  }
  switch (key) {
    case 'r':
      return did(lookNow)
    case 'p':
      return did(pause)
    case 'y':
      return isThere ? did(copy) : 'early'
    case '?':
      return did(help)
    case 'Escape':
      return did(back)
    default:
      return 'not-ours'
  }
}

interface InView {
  /** Whether it was done. */
  readonly act: () => boolean
  /** Told where it could not be. */
  readonly why: string
}

/** `null`: no key of a view. */
function ofView(key: string): InView | null {
  switch (key) {
    case 'j':
    case 'ArrowDown':
      return { act: () => step(1, '[data-row]'), why: 'There is no row after this one.' }
    case 'k':
    case 'ArrowUp':
      return { act: () => step(-1, '[data-row]'), why: 'There is no row before this one.' }
    case ']':
      return { act: () => step(1, troubled), why: 'There is no further trouble in this view.' }
    case '[':
      return { act: () => step(-1, troubled), why: 'There is no trouble before this in this view.' }
    case '/':
      return { act: () => focusOn(document.querySelector('[data-filter]')), why: 'This view has no filter.' }
    case '.':
      return { act: () => focusOn(actionOf(document.activeElement)), why: 'This view has no actions.' }
    default:
      return null
  }
}

const troubled = '[data-level="act"], [data-level="watch"], [data-level="unjudged"]'

function did(action: () => void): 'done' {
  action()
  return 'done'
}

/** The rows that lead somewhere, or have something to do. */
function step(by: 1 | -1, selector: string): boolean {
  const rows = [...document.querySelectorAll(selector)].filter((row) => linkOf(row) !== null)
  const now = rows.findIndex((row) => row.contains(document.activeElement))
  const next = now < 0 ? (by > 0 ? 0 : rows.length - 1) : now + by
  return focusOn(rows[next] === undefined ? null : linkOf(rows[next]))
}

function linkOf(row: Element): HTMLElement | null {
  return row.querySelector<HTMLElement>('a, button')
}

/** That of its row, or else the first. */
function actionOf(element: Element | null): Element | null {
  return rowOf(element)?.querySelector('[data-action]') ?? document.querySelector('main [data-action]')
}

function rowOf(element: Element | null): Element | null {
  return element?.closest('[data-row]') ?? null
}

function focusOn(element: Element | null): boolean {
  if (!(element instanceof HTMLElement)) return false
  element.focus()
  element.scrollIntoView({ block: 'nearest' })
  return true
}
