/* "That one is about page tables" */
/* REGION answers */
zap-touched: 1 1
zap-punched: 0 0
zap-again: 0 1
zap-pinned: 1 1
idle-touched: 1 1
idle-punched: 1 0
idle-again: 1 1
busy-punched: 0 1
busy-again: 0 1
unaware: safe
lease-poll: safe
idle-at-one: safe
zap-to-zero: BROKEN I5
counted-map: safe
refuse-busy: safe
busy-extent: safe
loses-it: 2
born: 5
token: explore entry.zapped-elsewhere lifetime=zap-to-zero
taken-in: zap_vma
marked-in: entries_mark
waits: 1
woken-at: 1 0
idle-woken-at: 2 1
mended: C-1
inherited: C-2
twice-zap-to-zero: 2 1
twice-idle-at-one: 2 1
twice-counted-map: 1 1
twice-busy-extent: 1 1
closed-zap-to-zero: 1 0
closed-idle-at-one: 1 0
closed-counted-map: 0 0
closed-busy-extent: 0 0
held-zap-to-zero: 1 0
held-idle-at-one: 2 0
held-counted-map: 1 1
held-busy-extent: 1 1
refault-zap-to-zero: safe
refault-idle-at-one: safe
refault-counted-map: HUNG I4
refault-busy-extent: safe
