import ts from 'typescript'
import { expect, it } from 'vitest'
import { entries, programOf } from './compile.js'

it('every public name has a docstring', () => {
  const program = programOf(entries.map(({ file }) => file))
  const checker = program.getTypeChecker()
  const exported = entries.flatMap(({ file, module }) => {
    const symbol = checker.getSymbolAtLocation(program.getSourceFile(file) as ts.SourceFile) as ts.Symbol
    return checker.getExportsOfModule(symbol).map((one) => ({ module, symbol: one }))
  })
  const silent = exported
    .map(({ module, symbol }) => ({
      name: `${symbol.name} of ${module}`,
      meant: symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol,
    }))
    .filter(({ meant }) => meant.getDocumentationComment(checker).length === 0)
  expect(silent.map(({ name }) => name)).toEqual([])
  expect(exported.length).toBeGreaterThan(400)
})
