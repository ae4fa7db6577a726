export interface SyntaxProblem {
  /** Index into the text where it stops being JSON. */
  readonly position: number
  readonly expected: string
}

/** Where a text stops being JSON (RFC 8259). For text that JSON.parse refused; engines differ in what they tell, and quote it. */
export function firstSyntaxError(text: string): SyntaxProblem {
  return new Scanner(text).scan()
}

type Awaited = 'value' | 'first item' | 'first key' | 'key' | 'comma in array' | 'comma in object' | 'end'

const whitespace = /[ \t\n\r]*/y
const scalar = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
// Without alternatives that overlap, so a hostile text costs linear time.
const stringBody = /[^"\\\u0000-\u001f]*/y
const escape = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** Keeps its own stack of open brackets, so depth costs no call stack. */
class Scanner {
  #position = 0
  readonly #open: ('array' | 'object')[] = []
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  scan(): SyntaxProblem {
    let awaited: Awaited | SyntaxProblem = 'value'
    while (typeof awaited === 'string') {
      this.#take(whitespace)
      awaited = this.#step(awaited)
    }
    return awaited
  }

  #step(awaited: Awaited): Awaited | SyntaxProblem {
    switch (awaited) {
      case 'value':
        return this.#value('a value')
      case 'first item':
        return this.#is(']') ? this.#close() : this.#value('a value or "]"')
      case 'first key':
        return this.#is('}') ? this.#close() : this.#key('a key or "}"')
      case 'key':
        return this.#key('a key')
      case 'comma in array':
        return this.#is(',') ? 'value' : this.#is(']') ? this.#close() : this.#problem('"," or "]"')
      case 'comma in object':
        return this.#is(',') ? 'key' : this.#is('}') ? this.#close() : this.#problem('"," or "}"')
      case 'end':
        return this.#problem('the end')
    }
  }

  #value(expected: string): Awaited | SyntaxProblem {
    if (this.#is('[')) return this.#enter('array', 'first item')
    if (this.#is('{')) return this.#enter('object', 'first key')
    if (this.#is('"')) return this.#string() ?? this.#next()
    return this.#take(scalar) ? this.#next() : this.#problem(expected)
  }

  #key(expected: string): Awaited | SyntaxProblem {
    if (!this.#is('"')) return this.#problem(expected)
    const problem = this.#string()
    if (problem !== null) return problem
    this.#take(whitespace)
    return this.#is(':') ? 'value' : this.#problem('":"')
  }

  /** The opening quote was taken. */
  #string(): SyntaxProblem | null {
    for (;;) {
      this.#take(stringBody)
      if (this.#is('"')) return null
      if (!this.#take(escape)) return this.#problem('the rest of a string (control characters must be escaped)')
    }
  }

  #enter(bracket: 'array' | 'object', awaited: Awaited): Awaited {
    this.#open.push(bracket)
    return awaited
  }

  #close(): Awaited {
    this.#open.pop()
    return this.#next()
  }

  #next(): Awaited {
    const innermost = this.#open.at(-1)
    if (innermost === undefined) return 'end'
    return innermost === 'array' ? 'comma in array' : 'comma in object'
  }

  #is(character: string): boolean {
    if (this.#text[this.#position] !== character) return false
    this.#position++
    return true
  }

  #take(pattern: RegExp): boolean {
    pattern.lastIndex = this.#position
    if (!pattern.test(this.#text)) return false
    this.#position = pattern.lastIndex
    return true
  }

  #problem(expected: string): SyntaxProblem {
    return { position: this.#position, expected }
  }
}
