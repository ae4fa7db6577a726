import type { Options } from 'tsup'

type Plugin = NonNullable<Options['plugins']>[number]
type EsbuildPlugin = NonNullable<Options['esbuildPlugins']>[number]
type Esbuild = Parameters<EsbuildPlugin['setup']>[0]['esbuild']

/**
 * CommonJS in chunks that entries share, by esbuild. tsup does it by another tool, which writes for Node 12: classes lose
 * their names (`_class2` in a stack or a log), fields are set by calls, and an `await` behind `??` waits a turn more.
 */
export function commonjs(): { readonly plugin: Plugin; readonly esbuildPlugin: EsbuildPlugin } {
  let esbuild: Esbuild | undefined
  return {
    esbuildPlugin: { name: 'esbuild itself', setup: (build) => void (esbuild = build.esbuild) },
    plugin: {
      name: 'commonjs',
      // esbuild divides ES modules alone. tsup is told `splitting: false`, which keeps its own tool away.
      esbuildOptions(options) {
        options.splitting = true
        options.format = 'esm'
      },
      async renderChunk(code, { path, type }) {
        if (this.format !== 'cjs' || type !== 'chunk' || !path.endsWith('.cjs')) return
        const made = await (esbuild as Esbuild).transform(code, {
          format: 'cjs',
          platform: 'node',
          // What was a module stays as strict as one.
          banner: '"use strict";',
          target: 'node20',
          // What is loaded only where it is needed is loaded by `require`: Jest has no `import()`.
          supported: { 'dynamic-import': false },
          sourcemap: 'external',
          sourcefile: path,
          // That of the sources comes from the chunk's own map.
          sourcesContent: false,
        })
        return { code: made.code, map: made.map }
      },
    },
  }
}
