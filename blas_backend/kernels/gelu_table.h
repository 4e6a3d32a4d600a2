/* kernels/gelu_table.h - the normal distribution in 32 pieces, by coefficients.py: polynomials of degree 6 in d = t - k
 * step for piece k = 0 .. 31, coefficients of d^j in row j. Errors in units of 2^-24. */
#ifndef GG_GELU_TABLE_H
#define GG_GELU_TABLE_H

enum { GELU_DEGREE = 6, GELU_PIECES = 32 };

/* Phi(-t), step 0.171875: relative error 0.91. */
static const float gelu_phi[GELU_DEGREE + 1][GELU_PIECES] __attribute__((aligned(64))) = {
    {
        0x1.000000p-1f,  0x1.ba215ep-2f,  0x1.764a20p-2f,  0x1.3654e2p-2f,  0x1.f791f4p-3f,  0x1.8f7f32p-3f,
        0x1.35ae88p-3f,  0x1.d4d82ep-4f,  0x1.5a6196p-4f,  0x1.f3467cp-5f,  0x1.5edcecp-5f,  0x1.e0a92ep-6f,
        0x1.40cccep-6f,  0x1.a11c4ep-7f,  0x1.081092p-7f,  0x1.4582cep-8f,  0x1.869044p-9f,  0x1.c80a52p-10f,
        0x1.030e4ep-10f, 0x1.1e522cp-11f, 0x1.33d0aap-12f, 0x1.41d868p-13f, 0x1.473ee2p-14f, 0x1.438958p-15f,
        0x1.36feaep-16f, 0x1.229ea2p-17f, 0x1.07ffe8p-18f, 0x1.d236f4p-20f, 0x1.901d0ap-21f, 0x1.4dbb60p-22f,
        0x1.0e85f8p-23f, 0x1.aa328cp-25f,
    },
    {
        -0x1.988454p-2f,  -0x1.9286fap-2f,  -0x1.81147ep-2f,  -0x1.65aa6ap-2f,  -0x1.42886cp-2f,  -0x1.1a6280p-2f,
        -0x1.e0132ep-3f,  -0x1.8c33dap-3f,  -0x1.3d7712p-3f,  -0x1.edf0f4p-4f,  -0x1.7512f4p-4f,  -0x1.1194a0p-4f,
        -0x1.858fbep-5f,  -0x1.0d482ep-5f,  -0x1.69713cp-6f,  -0x1.d705a6p-7f,  -0x1.29fa56p-7f,  -0x1.6e09f4p-8f,
        -0x1.b48e98p-9f,  -0x1.f98136p-10f, -0x1.1c26c8p-10f, -0x1.362706p-11f, -0x1.48ada2p-12f, -0x1.522bf2p-13f,
        -0x1.51cfa6p-14f, -0x1.47a0cep-15f, -0x1.3480b0p-16f, -0x1.1a09a8p-17f, -0x1.f4acccp-19f, -0x1.af76f2p-20f,
        -0x1.68ff84p-21f, -0x1.253f82p-22f,
    },
    {
        0x1.eed9eep-20f, 0x1.148ee8p-5f,  0x1.08dc4ep-4f,  0x1.70ce1ep-4f,  0x1.bb774ep-4f,  0x1.e5631ep-4f,
        0x1.ef16a2p-4f,  0x1.dcab54p-4f,  0x1.b485b8p-4f,  0x1.7e07d8p-4f,  0x1.40992ap-4f,  0x1.029dcep-4f,
        0x1.91ba40p-5f,  0x1.2cd82ep-5f,  0x1.b2d876p-6f,  0x1.2f94d4p-6f,  0x1.99b6d6p-7f,  0x1.0b6148p-7f,
        0x1.51a73ep-8f,  0x1.9cb254p-9f,  0x1.e86400p-10f, 0x1.17dd44p-10f, 0x1.36b378p-11f, 0x1.4e35dap-12f,
        0x1.5c5eeap-13f, 0x1.5ff11ap-14f, 0x1.58a76ap-15f, 0x1.4734c4p-16f, 0x1.2d302cp-17f, 0x1.0cd298p-18f,
        0x1.d15966p-20f, 0x1.869d58p-21f,
    },
    {
        0x1.0ff1d0p-4f,   0x1.0474b4p-4f,   0x1.c4be8ep-5f,   0x1.5e16d0p-5f,   0x1.c58b52p-6f,   0x1.89b33ep-7f,
        -0x1.44fc1cp-9f,  -0x1.d8d8eap-7f,  -0x1.78feeep-6f,  -0x1.ca9ba6p-6f,  -0x1.e5fcdep-6f,  -0x1.d5917ap-6f,
        -0x1.a683eap-6f,  -0x1.665e4ap-6f,  -0x1.208cdcp-6f,  -0x1.bb485ep-7f,  -0x1.45e560p-7f,  -0x1.cbd608p-8f,
        -0x1.37d38cp-8f,  -0x1.971cdcp-9f,  -0x1.0022a6p-9f,  -0x1.36dea2p-10f, -0x1.6c392ep-11f, -0x1.9c3506p-12f,
        -0x1.c2dab6p-13f, -0x1.dcc7dap-14f, -0x1.e7adf4p-15f, -0x1.e2a40cp-16f, -0x1.ce4bb2p-17f, -0x1.aca6acp-18f,
        -0x1.80dc7ep-19f, -0x1.4ea63cp-20f,
    },
    {
        0x1.28bb16p-9f,  -0x1.c94574p-11f, -0x1.a02704p-6f, -0x1.1c8d08p-6f, -0x1.5ea9f2p-6f, -0x1.a22752p-6f,
        -0x1.4ed71ep-6f, -0x1.cc9f8ep-7f,  -0x1.580ca6p-7f, -0x1.2b3978p-8f, 0x1.71c0acp-11f, 0x1.aa4720p-9f,
        0x1.648152p-8f,  0x1.7f67ccp-8f,   0x1.a843b2p-8f,  0x1.7a8420p-8f,  0x1.3ae35ep-8f,  0x1.ed843ep-9f,
        0x1.6f5a2cp-9f,  0x1.07cbbep-9f,   0x1.653bf6p-10f, 0x1.d3a232p-11f, 0x1.256122p-11f, 0x1.5f2182p-12f,
        0x1.95e45ep-13f, 0x1.c6555ap-14f,  0x1.e7d8c8p-15f, 0x1.f9f98ap-16f, 0x1.f9c82ep-17f, 0x1.e95928p-18f,
        0x1.c95572p-19f, 0x1.9d5f5ap-20f,
    },
    {
        -0x1.154648p-5f,  -0x1.4b3bfep-7f,  -0x1.bdf8e6p-8f,  -0x1.139a84p-8f,  -0x1.e09d86p-11f, 0x1.35482ap-9f,
        0x1.1cbd92p-8f,   0x1.81a1c2p-8f,   0x1.966b2ap-8f,   0x1.5f8d3ap-8f,   0x1.1cc960p-8f,   0x1.ae1360p-9f,
        0x1.ac3f80p-10f,  0x1.3a33cap-11f,  -0x1.7a37aep-12f, -0x1.d7e682p-11f, -0x1.3766bep-10f, -0x1.28ef9ep-10f,
        -0x1.0bd2d8p-10f, -0x1.bc6010p-11f, -0x1.4e8404p-11f, -0x1.e72636p-12f, -0x1.4e3e4ep-12f, -0x1.b10b4cp-13f,
        -0x1.0c47a4p-13f, -0x1.3f3c96p-14f, -0x1.6bb0b0p-15f, -0x1.8e369ap-16f, -0x1.a25db0p-17f, -0x1.a9af64p-18f,
        -0x1.9febcap-19f, -0x1.883fdcp-20f,
    },
    {
        0x1.80a2c2p-4f,  -0x1.4ef674p-1f, 0x1.bc3e8ap-1f,  -0x1.177d72p-2f, -0x1.ea0652p-4f,  0x1.20197cp-2f,
        0x1.557b22p-4f,  -0x1.62dc7ep-4f, 0x1.cd6fd0p-5f,  -0x1.b7ebc0p-7f, -0x1.6a15e0p-4f,  -0x1.6255fcp-6f,
        -0x1.d2574ap-6f, 0x1.4d8296p-6f,  -0x1.b84ab0p-6f, -0x1.a4f0dap-7f, -0x1.187be8p-8f,  0x1.9b329cp-15f,
        0x1.c89a04p-10f, 0x1.d4d2a2p-15f, 0x1.613ca0p-11f, 0x1.6af660p-13f, -0x1.9f0956p-17f, 0x1.1bf516p-13f,
        0x1.aad6bap-14f, 0x1.87aaeap-16f, 0x1.4ccab6p-16f, 0x1.7f0752p-17f, 0x1.1abf28p-17f,  0x1.1f78e0p-18f,
        0x1.273e88p-19f, 0x1.1748eep-20f,
    },
};

/* Phi(-t) - t phi(t), step 0.19140625: error 0.60 of the sum of both terms. */
static const float gelu_dip[GELU_DEGREE + 1][GELU_PIECES] __attribute__((aligned(64))) = {
    {
        0x1.000000p-1f,   0x1.65823ep-2f,   0x1.ac07dep-3f,   0x1.6b19f2p-4f,   -0x1.8250e0p-8f,  -0x1.27e746p-4f,
        -0x1.c8d9f8p-4f,  -0x1.05856ep-3f,  -0x1.02a754p-3f,  -0x1.d064dcp-4f,  -0x1.82ec00p-4f,  -0x1.2ec8dap-4f,
        -0x1.c04394p-5f,  -0x1.3b5126p-5f,  -0x1.a6d8aep-6f,  -0x1.0edac6p-6f,  -0x1.4c0652p-7f,  -0x1.85edd2p-8f,
        -0x1.b720e2p-9f,  -0x1.da9522p-10f, -0x1.ec7fc4p-11f, -0x1.eb00a0p-12f, -0x1.d6752cp-13f, -0x1.b15f68p-14f,
        -0x1.7fe8dcp-15f, -0x1.472298p-16f, -0x1.0c311cp-17f, -0x1.a725acp-19f, -0x1.41457cp-20f, -0x1.d593a0p-22f,
        -0x1.4a5bfcp-23f, -0x1.bf86a8p-25f,
    },
    {
        -0x1.988454p-1f, -0x1.89c118p-1f, -0x1.5fd5f8p-1f, -0x1.215028p-1f, -0x1.aed704p-2f, -0x1.182618p-2f,
        -0x1.1fc58ap-3f, -0x1.10cddep-5f, 0x1.5cd68ap-5f,  0x1.668c32p-4f,  0x1.b34a8ap-4f,  0x1.b14f4cp-4f,
        0x1.7ecdb6p-4f,  0x1.35dc80p-4f,  0x1.d31b44p-5f,  0x1.4aeb5ap-5f,  0x1.bb5232p-6f,  0x1.19e458p-6f,
        0x1.554738p-7f,  0x1.8a2988p-8f,  0x1.b2fbe4p-9f,  0x1.cb3e0cp-10f, 0x1.d04feap-11f, 0x1.c1e8cep-12f,
        0x1.a217d2p-13f, 0x1.74d05cp-14f, 0x1.3f2448p-15f, 0x1.065f70p-16f, 0x1.9e73e6p-18f, 0x1.3a9262p-19f,
        0x1.cb0340p-21f, 0x1.41faa2p-22f,
    },
    {
        0x1.c043f8p-19f,  0x1.30533ep-3f,   0x1.180700p-2f,   0x1.6d0c22p-2f,   0x1.8e3e48p-2f,   0x1.7d5fb4p-2f,
        0x1.453d10p-2f,   0x1.ebd4a2p-3f,   0x1.4097cap-3f,   0x1.498ea6p-4f,   0x1.50f7b2p-6f,   -0x1.44bd98p-6f,
        -0x1.56689ep-5f,  -0x1.9323c4p-5f,  -0x1.803db4p-5f,  -0x1.42e0c4p-5f,  -0x1.eeda86p-6f,  -0x1.5fd2dep-6f,
        -0x1.d4c766p-7f,  -0x1.268518p-7f,  -0x1.5e8074p-8f,  -0x1.8c4a64p-9f,  -0x1.aaa8d2p-10f, -0x1.b62fa0p-11f,
        -0x1.ade236p-12f, -0x1.934f34p-13f, -0x1.6a2d66p-14f, -0x1.378b7cp-15f, -0x1.00def4p-16f, -0x1.9639fep-18f,
        -0x1.34313cp-19f, -0x1.c0db42p-21f,
    },
    {
        0x1.102e44p-2f,  0x1.f4ad60p-3f,  0x1.7b1b22p-3f,  0x1.9fe72cp-4f,  0x1.86bbccp-7f,  -0x1.0ee4dap-4f,
        -0x1.ebea9ap-4f, -0x1.288dc4p-3f, -0x1.239306p-3f, -0x1.ec070cp-4f, -0x1.669bc4p-4f, -0x1.b6192cp-5f,
        -0x1.8d2310p-6f, -0x1.8c51dep-9f, 0x1.3e6ed0p-7f,  0x1.f77f18p-7f,  0x1.0777a6p-6f,  0x1.cb6e92p-7f,
        0x1.643296p-7f,  0x1.f944d4p-8f,  0x1.4cc7cap-8f,  0x1.9ac060p-9f,  0x1.dde108p-10f, 0x1.071c9cp-10f,
        0x1.130abcp-11f, 0x1.118f30p-12f, 0x1.0356c2p-13f, 0x1.d5510ap-15f, 0x1.95c842p-16f, 0x1.4f9328p-17f,
        0x1.09a2f8p-18f, 0x1.92d1a0p-20f,
    },
    {
        0x1.b7986cp-9f,   -0x1.f39ae2p-5f,  -0x1.91c61ap-4f,  -0x1.d9c9a8p-4f,  -0x1.ce3e4ap-4f,  -0x1.6dbe4ep-4f,
        -0x1.a7aab4p-5f,  -0x1.a887e6p-7f,  0x1.4a8102p-6f,   0x1.3035f6p-5f,   0x1.6b1b62p-5f,   0x1.5cbdc4p-5f,
        0x1.110112p-5f,   0x1.6f338ap-6f,   0x1.79affep-7f,   0x1.04fbbap-8f,   -0x1.245424p-10f, -0x1.d92728p-9f,
        -0x1.187558p-8f,  -0x1.f602e2p-9f,  -0x1.8741d0p-9f,  -0x1.128052p-9f,  -0x1.62fcc2p-10f, -0x1.ac1f00p-11f,
        -0x1.e3f7cep-12f, -0x1.024f68p-12f, -0x1.04ad3ep-13f, -0x1.f41e04p-15f, -0x1.c85b00p-16f, -0x1.8cc6b2p-17f,
        -0x1.491eb2p-18f, -0x1.04d2c2p-19f,
    },
    {
        -0x1.783e06p-4f, -0x1.a97104p-5f, -0x1.1324cep-5f, -0x1.2ca012p-7f, 0x1.05b18cp-6f,  0x1.127a20p-5f,
        0x1.4bd5acp-5f,  0x1.33e4e6p-5f,  0x1.bd6a6cp-6f,  0x1.c9971ep-7f,  0x1.f3b364p-10f, -0x1.c0df3cp-8f,
        -0x1.6c840cp-7f, -0x1.84d4b2p-7f, -0x1.3f7ab4p-7f, -0x1.bea966p-8f, -0x1.ed26dcp-9f, -0x1.835fdcp-10f,
        0x1.5a5c4ap-15f, 0x1.8c1bdep-11f, 0x1.f51604p-11f, 0x1.c763a6p-11f, 0x1.5f91a0p-11f, 0x1.e335c4p-12f,
        0x1.303d5ap-12f, 0x1.63475ap-13f, 0x1.8339b2p-14f, 0x1.8ec7b8p-15f, 0x1.83d476p-16f, 0x1.6517c4p-17f,
        0x1.3885d0p-18f, 0x1.0455bap-19f,
    },
    {
        0x1.d6982cp-4f,   0x1.c02246p-2f,   0x1.838274p-4f,   -0x1.54365cp-4f,  0x1.c54090p-7f,   0x1.6b7012p-4f,
        0x1.9c21cap-8f,   -0x1.330feep-5f,  -0x1.44656cp-3f,  0x1.5cf8bap-5f,   0x1.baf890p-5f,   -0x1.3583a4p-6f,
        -0x1.7e16a4p-9f,  -0x1.a7d2e8p-6f,  0x1.9d3dcap-8f,   -0x1.43d436p-6f,  -0x1.6a4faep-7f,  -0x1.39dbf4p-8f,
        0x1.933f72p-14f,  -0x1.1ee888p-10f, -0x1.192030p-11f, -0x1.0ec38ep-11f, -0x1.83f45cp-12f, -0x1.9d07ccp-13f,
        -0x1.30cb74p-13f, -0x1.54d7ccp-14f, -0x1.d1e2bap-15f, -0x1.ec9278p-16f, -0x1.f5f518p-17f, -0x1.e923ecp-18f,
        -0x1.c970c6p-19f, -0x1.905cbap-20f,
    },
};

#endif
