import ts from 'typescript'
import { expect, it } from 'vitest'
import { entries, programOf } from './compile.js'

const program = programOf(entries.map(({ file }) => file))
const checker = program.getTypeChecker()
const exported = entries.flatMap(({ file, module }) => {
  const symbol = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol
  return checker.getExportsOfModule(symbol).map((one) => ({
    name: `${one.name} of ${module}`,
    meant: one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one,
  }))
})

const isSilent = (symbol: ts.Symbol) => symbol.getDocumentationComment(checker).length === 0

it('every public name has a docstring', () => {
  const silent = exported.filter(({ meant }) => isSilent(meant))
  expect(silent.map(({ name }) => name)).toEqual([])
  expect(exported.length).toBeGreaterThan(400)
})

/** Ports, whose contract stands on the whole, and what is another library's. */
const others = /of tidemark\/(driver|testing)$|^(PrometheusRegistry|Driver|Logger) /

it('so has every method of a class or an interface that applications call', () => {
  const isMethod = (node: ts.Declaration) => ts.isMethodDeclaration(node) || ts.isMethodSignature(node)
  const isHidden = (node: ts.Declaration) =>
    (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0 ||
    ts.getJSDocTags(node).some(({ tagName }) => tagName.text === 'internal')
  const methods = new Map(
    exported
      .filter(({ name }) => !others.test(name))
      .flatMap(({ name, meant }) =>
        [...(meant.members ?? [])]
          .filter(([method]) => !/^(?:__|#)/.test(String(method)))
          .filter(([, { declarations = [] }]) => declarations.some((node) => isMethod(node) && !isHidden(node)))
          .map(([method, symbol]) => [symbol, `${String(method)} of ${name}`] as const),
      ),
  )
  expect([...methods].filter(([symbol]) => isSilent(symbol)).map(([, name]) => name)).toEqual([])
  expect(methods.size).toBeGreaterThan(100)
})
