import { expectSeeds } from './expect-seeds.js'

expectSeeds(51, 28)
