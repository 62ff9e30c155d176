/*
 * The legacy interrupt controllers: out of the way.
 */
#ifndef DEV_PIC_H
#define DEV_PIC_H

/* Mask all their lines, after moving them off the CPU's own vectors (to 0x20 ... 0x2f). */
void pic_disable(void);

#endif
