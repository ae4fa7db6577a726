interface Parts {
  /** The view of the address is drawn, and filled. */
  readonly isThere: () => boolean
  /** Does what a key is for. */
  readonly take: (key: string) => boolean
}

const everyMs = 30
/** Who waits longer than that has looked elsewhere. */
const longestMs = 10_000
const notText: readonly string[] = ['ArrowDown', 'ArrowUp', 'Enter', 'Backspace']

/**
 * Keys that were pressed before what they are for is there. Without it the letters of a name, typed into a filter that comes
 * a moment later, would each do something else.
 *
 * | keys are | what happens | becomes |
 * |----------|--------------|---------|
 * | free | one of a view that is not there yet | held |
 * | held | another one | held, behind the others |
 * | held | the view is there | done in their order; letters go into the field that one of them led to |
 * | held | Esc, Tab, a click, or ten seconds | forgotten |
 */
export class HeldKeys {
  readonly #keys: string[] = []
  #parts: Parts | null = null
  #since = 0
  #timer: ReturnType<typeof setInterval> | undefined

  /** Newly at each drawing of the page. */
  use(parts: Parts): void {
    this.#parts = parts
  }

  hold(key: string): void {
    this.#keys.push(key)
    this.#since = performance.now()
    this.#timer ??= setInterval(() => this.#look(), everyMs)
  }

  /** Whether it waits behind others. */
  follows(key: string): boolean {
    if (this.#timer === undefined) return false
    if (key.length > 1 && !notText.includes(key)) {
      // Shift alone is the way to another key.
      if (key === 'Escape' || key === 'Tab') this.forget()
      return false
    }
    this.#keys.push(key)
    return true
  }

  forget(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#keys.length = 0
  }

  #look(): void {
    const { isThere, take } = this.#parts as Parts
    if (!isThere()) {
      if (performance.now() - this.#since > longestMs) this.forget()
      return
    }
    const keys = [...this.#keys]
    this.forget()
    for (const [index, key] of keys.entries()) {
      doOne(key, take)
      // It led to another view: the rest waits for that.
      if (isThere()) continue
      for (const later of keys.slice(index + 1)) this.hold(later)
      return
    }
  }
}

function doOne(key: string, take: (key: string) => boolean): void {
  const { activeElement } = document
  if (activeElement instanceof HTMLInputElement) typeInto(activeElement, key)
  else if (activeElement instanceof HTMLSelectElement) return
  else if (key === 'Enter' && activeElement instanceof HTMLElement) activeElement.click()
  else take(key)
}

/** As if it were typed there. */
function typeInto(field: HTMLInputElement, key: string): void {
  const end = field.value.length
  if (key === 'Backspace') field.setRangeText('', Math.max(0, end - 1), end, 'end')
  else if (key.length === 1) field.setRangeText(key, end, end, 'end')
  else return
  field.dispatchEvent(new InputEvent('input', { bubbles: true }))
}
