import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { root, textOf } from './pages.js'

/** Classes whose errors users meet as they are; others are causes of theirs, or have one code. */
const thrown = /^(Tidemark|Send|Transaction|Handler|DeadLetter|Fenced|Driver|Timeout|State|Registry)Error$/
/** Functions that make a `SendError`. */
const refusals = new Set(['producer/outgoing-record.ts', 'producer/placement.ts', 'producer/send-input.ts'])

/** Codes that the source gives its errors in so many words, with a place of each; and every text that could be one. */
function codesInSource() {
  const codes = new Map<string, string>()
  const texts = new Set<string>()
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  for (const file of files) {
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node)) texts.add(node.text)
      if (ts.isNewExpression(node) || ts.isCallExpression(node)) {
        const name = ts.isIdentifier(node.expression) ? node.expression.text : ''
        const isSuper = node.expression.kind === ts.SyntaxKind.SuperKeyword
        const [code] = node.arguments ?? []
        const isError = thrown.test(name) || isSuper || (name === 'refuse' && refusals.has(file))
        if (isError && code !== undefined && ts.isStringLiteral(code)) codes.set(code.text, file)
      }
      ts.forEachChild(node, visit)
    }
    visit(ts.createSourceFile(file, readFileSync(`${root}src/${file}`, 'utf8'), ts.ScriptTarget.Latest))
  }
  return { codes, texts }
}

/** The codes of the union that compilers offer. */
function typedCodes(): readonly string[] {
  const codes: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isLiteralTypeNode(node) && ts.isStringLiteral(node.literal)) codes.push(node.literal.text)
    ts.forEachChild(node, visit)
  }
  const file = 'src/error-codes.ts'
  visit(ts.createSourceFile(file, textOf(file), ts.ScriptTarget.Latest))
  return codes
}

it('the codes that compilers know are those that are explained', () => {
  const page = textOf('docs/guides/errors.md')
  const told = [...page.matchAll(/^\| (`.*?) \| |^Causes of these.*$/gm)].flatMap(([line, cell]) =>
    [...(cell ?? line).matchAll(/`([a-z][a-z-]+)`/g)].map(([, code]) => code),
  )
  expect(typedCodes().toSorted()).toEqual(told.toSorted())
})

it('every code that an error can have is explained, and no other', () => {
  const { codes, texts } = codesInSource()
  const told = textOf('docs/guides/errors.md')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => [...(line.split(' | ')[0] as string).matchAll(/`([a-z][a-z-]+)`/g)].map((match) => match[1]))
  expect([...codes].filter(([code]) => !told.includes(code))).toEqual([])
  expect(told.filter((code) => !texts.has(code as string))).toEqual([])
  expect(new Set(told).size).toBe(told.length)
})
