import { expect, it } from 'vitest'
import { whyNotLoaded } from '../../../../src/drivers/kafkajs/package.js'

it('says to install kafkajs only where it is not there', () => {
  for (const code of ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])
    expect(whyNotLoaded(Object.assign(new Error('no'), { code }))).toContain('npm install kafkajs@')
})

it('says of kafkajs in a bundle without require what failed, and what to do', () => {
  const said = whyNotLoaded(new Error('Dynamic require of "net" is not supported'))
  expect(said).toContain('Dynamic require of "net" is not supported')
  expect(said).toMatch(/banner/)
  expect(said).not.toContain('npm install')
})
