import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const entries = ['index', 'memory', 'testing', 'driver', 'kafkajs'].map((name) => `${root}src/${name}.ts`)

/** Does a value of the type go to the library, or come from it? */
type Way = 'given' | 'got'

const turned: Readonly<Record<Way, Way>> = { given: 'got', got: 'given' }

/** Optional fields of everything that a user can give to what the entries export: how many, and where those are that refuse `undefined`. */
function refusals(): { readonly looked: number; readonly refused: readonly string[] } {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile) as { config: object }
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: entries }, ts.sys, root)
  const program = ts.createProgram(entries, options)
  const checker = program.getTypeChecker()
  const undefinedType = checker.getUndefinedType()
  const seen = { given: new Set<ts.Type>(), got: new Set<ts.Type>() }
  const refused = new Set<string>()
  let looked = 0

  const accepts = (type: ts.Type) =>
    type === undefinedType ||
    (type.flags & (ts.TypeFlags.Unknown | ts.TypeFlags.Any)) !== 0 ||
    (type.isUnion() && type.types.includes(undefinedType))

  function walk(type: ts.Type, way: Way): void {
    if (seen[way].has(type)) return
    seen[way].add(type)
    if (type.isUnionOrIntersection()) for (const part of type.types) walk(part, way)
    for (const argument of checker.getTypeArguments(type as ts.TypeReference)) walk(argument, way)
    const bound = checker.getBaseConstraintOfType(type)
    if (bound !== undefined) walk(bound, way)
    for (const signature of [...type.getCallSignatures(), ...type.getConstructSignatures()]) {
      for (const parameter of signature.parameters) walk(checker.getTypeOfSymbol(parameter), turned[way])
      walk(signature.getReturnType(), way)
    }
    for (const property of type.getProperties()) {
      if (!isPublic(property)) continue
      const inner = checker.getTypeOfSymbol(property)
      if (way === 'given' && (property.flags & ts.SymbolFlags.Optional) !== 0) {
        looked += 1
        if (!accepts(inner)) refused.add(placeOf(property))
      }
      walk(inner, way)
    }
  }

  for (const entry of entries) {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile) as ts.Symbol
    for (const exported of checker.getExportsOfModule(module)) {
      const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      if (target.flags & ts.SymbolFlags.Value) walk(checker.getTypeOfSymbol(target), 'got')
    }
  }
  return { looked, refused: [...refused].sort() }
}

/** A field of ours that a user can see. */
function isPublic(property: ts.Symbol): boolean {
  return (property.declarations ?? []).some(
    (declaration) =>
      declaration.getSourceFile().fileName.startsWith(`${root}src/`) &&
      !(ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Private) &&
      !ts.getJSDocTags(declaration).some(({ tagName }) => tagName.text === 'internal') &&
      !ts.isPrivateIdentifier(ts.getNameOfDeclaration(declaration) ?? declaration),
  )
}

function placeOf(property: ts.Symbol): string {
  const declaration = property.declarations?.[0] as ts.Declaration
  const source = declaration.getSourceFile()
  const line = source.getLineAndCharacterOfPosition(declaration.getStart()).line + 1
  return `${source.fileName.slice(root.length)}:${line} ${property.name}`
}

describe('options', () => {
  it('take undefined for what is left out, however strict the compiler of the user', () => {
    const { looked, refused } = refusals()
    expect(looked).toBeGreaterThan(100)
    expect(refused).toEqual([])
  }, 60_000)
})
