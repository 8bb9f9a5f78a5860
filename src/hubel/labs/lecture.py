"""The lecture's claims in its own order, each with the lab that shows it, and its errata.

No torch here: the command line lists labs by this table. Labs of later work stand here with the
command that will show them, never with a figure that was not measured.
"""

from hubel.findings import Claim


def _later(lab: str) -> str:
    return f"hubel lab {lab}"


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "L1",
        "ImageNet 2012 was won by a network of 60 million parameters, 650,000 units and seven "
        "hidden layers, trained on 1.2 million images: 16.4 % top-5 error, against 26.2 % for the "
        "best without one.",
        "networks",
        "16.4 % is an average of five networks; one alone had 18.2 %.",
    ),
    Claim("L2", "A GPU trains 50 times faster than a CPU.", "networks"),
    Claim(
        "L3",
        "On PASCAL VOC, R-CNN reached 53.7 % mAP, against 35.1 % and 33.4 % before it.",
        None,
        later=_later("detection"),
    ),
    Claim(
        "L4",
        "Hand-made features and a classifier behind them, against a hierarchy that is learned: "
        "from pixels to classifier, jointly.",
        "shallow-and-deep",
    ),
    Claim(
        "L5",
        "A two-layer network: hidden z = h(Wx + b), and outputs by sigmoid or softmax.",
        "forward",
    ),
    Claim(
        "L6",
        "Activation functions and their shapes: sigmoid, tanh, ReLU, leaky ReLU, ELU, maxout.",
        "activation-functions",
    ),
    Claim(
        "L7",
        "Enough hidden units approximate any continuous function; the boundary between two classes "
        "need not be a line.",
        "approximation",
    ),
    Claim("L8", "A neuron: a weighted sum and a threshold.", "forward"),
    Claim("L9", "A deeper network can do more, usually.", "depth-and-data"),
    Claim(
        "L10",
        "f(x, W) = Wx gives ten scores from the 3,072 numbers of a 32×32 colour picture; its rows "
        "are templates.",
        "linear-classifier",
    ),
    Claim(
        "L11",
        "Four pixels and three classes: the scores are −96.8, 437.9 and 60.75.",
        "linear-classifier",
        "The last score is often printed as 61.95, which leaves the bias of −1.2 out.",
    ),
    Claim(
        "L12",
        "Hinge losses of the cat, the car and the frog: 2.9, 0 and 12.9; their mean 5.27.",
        "losses",
        "The slide rounds the mean to 5.3.",
    ),
    Claim("L13", "L2 makes all weights small; L1 makes many of them zero.", "regularisation"),
    Claim(
        "L14",
        "Softmax of 3.2, 5.1, −1.7: 24.5, 164.0, 0.18, as probabilities 0.13, 0.87, 0.00; loss "
        "2.04.",
        "losses",
        "The slide prints a loss of 0.89, which is −log₁₀ 0.13; the loss is −ln 0.13 = 2.04.",
    ),
    Claim(
        "L15",
        "The triplet loss pulls the positive in and pushes the negative away.",
        "triplet",
    ),
    Claim(
        "L16",
        "The numerical gradient, one dimension at a time: −2.5, 0.6, 0.",
        "numeric-gradient",
    ),
    Claim(
        "L17",
        "The analytic gradient is exact and fast, and is checked against the numerical one.",
        "numeric-gradient",
        "The slide drops λ, the strength of the regularisation, between two lines.",
    ),
    Claim(
        "L18",
        "Gradient descent walks downhill, on all pictures or on mini-batches, for epochs.",
        "gradient-descent",
    ),
    Claim("L19", "Learning rates: too low, good, too high.", "learning-rate"),
    Claim(
        "L20",
        "Backpropagation: the output's errors, then the hidden units', then the update from the "
        "bottom up, all changes applied together.",
        "backprop",
    ),
    Claim(
        "L21",
        "(x + y)z at −2, 5, −4 is −12; its gradients are ∂f/∂z = 3 and ∂f/∂q = ∂f/∂x = ∂f/∂y = −4.",
        "backprop",
    ),
    Claim(
        "L22",
        "Convolution, non-linearity and pooling are the stages of a network; a larger stride is "
        "faster and smaller.",
        "convolution",
    ),
    Claim(
        "L23", "ReLU does not saturate, and so trains faster than sigmoid and tanh.", "activations"
    ),
    Claim(
        "L24",
        "Pooling by maximum or sum, overlapping or not, gives invariance to small shifts and "
        "larger receptive fields.",
        "pooling",
    ),
    Claim(
        "L25",
        "32×32×3 under a 5×5×3 filter becomes 28×28×1, under six of them 28×28×6.",
        "convolution",
        "What is called convolution is cross-correlation: the filter is not mirrored.",
    ),
    Claim(
        "L26",
        "7×7 under 3×3: 5 at stride 1, 3 at stride 2, at stride 3 it does not fit (2.33); ten 5×5 "
        "filters with padding 2 keep 32×32 and have 760 parameters.",
        "convolution",
        "AlexNet's paper prints pictures of 224×224, but (224 − 11)/4 + 1 = 54.25; 227 fits.",
    ),
    Claim(
        "L27",
        "AlexNet: its layers and its recipe, and the first use of ReLU.",
        "networks",
        "ReLUs are earlier: Jarrett et al. 2009, Nair & Hinton 2010. The transcription prints "
        "conv2 as 27×27×26 (256), the last pooling as 13×13×256 (6×6×256), and FC7 three times.",
    ),
    Claim(
        "L28",
        "VGG: A to E, only 3×3, 133 to 144 million parameters; ImageNet's top-5 error fell from "
        "11.2 % to 7.3 %.",
        "networks",
        "Not only 3×3: C has 1×1 filters. The transcription prints C's conv3-256 as conv3-25.",
    ),
    Claim("L29", "GoogLeNet: inception modules, 22 layers.", "networks"),
    Claim(
        "L30",
        "ResNet: 152 layers, blocks of two 3×3, 3.57 % top-5 error.",
        "networks",
        "3.57 % is an ensemble of six. From 50 layers on the blocks are bottlenecks of three.",
    ),
    Claim(
        "L31",
        "A deeper plain network is worse on the training pictures as well: that is not "
        "over-fitting.",
        "depth",
    ),
    Claim(
        "L32",
        "A deeper network is at least as good by construction: copy the shallow one and let the "
        "added layers be the identity.",
        "identity",
    ),
    Claim(
        "L33",
        "Training may end in local optima or oscillate: restart it at random.",
        None,
        later=_later("restarts"),
    ),
    Claim(
        "L34",
        "Over-training: the validation error turns up again; stop there.",
        None,
        later=_later("overfitting"),
    ),
    Claim(
        "L35",
        "Centre the data, initialise after Xavier, take ReLUs, mini-batches and augmentation.",
        "initialisation",
    ),
    Claim("L36", "The learning rate by cross-validation.", None, later=_later("cross-validation")),
    Claim("L37", "Dropout: units are off at random.", None, later=_later("dropout")),
    Claim(
        "L38",
        "Augmentation: flip, crop, colour casting, geometric distortion.",
        None,
        later=_later("augmentation"),
    ),
    Claim(
        "L39",
        "More weights need more data; deep networks need more than shallow ones.",
        "depth-and-data",
    ),
    Claim(
        "L40",
        "Transfer: keep the early weights and learn the last, or more of them with more data.",
        None,
        later=_later("transfer"),
    ),
    Claim("L41", "A network as a feature extractor for an SVM.", None, later=_later("transfer")),
    Claim(
        "L42",
        "Faster R-CNN and semantic segmentation from transferred networks.",
        None,
        later=_later("detection"),
    ),
    Claim(
        "L43",
        "Who took this photograph: 74 % of 41 photographers, against 3 % by chance and 47 % by "
        "people.",
        None,
        later=_later("authorship"),
    ),
    Claim(
        "L44",
        "What makes ImageNet good for transfer: 500 images a class do about as well as 1,000, and "
        "127 classes as 1,000; fewer classes with more images beat more with fewer.",
        None,
        later=_later("pretraining"),
    ),
    Claim(
        "L45", "From layer 1 to 5: edges, corners, textures, parts, objects.", "feature-hierarchy"
    ),
    Claim(
        "L46",
        "Occlusion: the probability drops where the object is.",
        "occlusion",
        'The "square of zeros" is grey only where the pixels were centred.',
    ),
    Claim(
        "L47",
        "The image that maximises a class score: forward, one-hot gradient, back to the image, "
        "update.",
        "class-images",
    ),
    Claim("L48", "A tiny distortion fools a network.", "adversarial"),
    Claim("L49", "x + αw fools a linear classifier.", "fooling-linear"),
    Claim(
        "L50",
        "Unrecognisable images are recognised with high confidence.",
        "fooling-images",
    ),
    Claim(
        "L51",
        "Networks go by texture rather than by shape; training on stylised images changes that.",
        "shape-texture",
    ),
    Claim(
        "L52",
        "In sum: convolution and max pooling; an objective, gradient descent, backpropagation; "
        "dropout, augmentation, transfer.",
        None,
        later="hubel lab --all",
    ),
)


# What belongs beside the lecture's claims and is not among them: others' claims, with their source
BEYOND: tuple[Claim, ...] = (
    Claim(
        "X1",
        "Beyond the lecture (Adebayo et al. 2018; of the deconvnet, Nie et al. 2018): as weights "
        "are made random, the maps of guided backpropagation and the deconvnet stay more alike "
        "than those of the gradient and of Grad-CAM.",
        "sanity",
    ),
    Claim(
        "X2",
        "Beyond the lecture (Petsiuk et al. 2018): a map marks what matters if the answer changes "
        "sooner as its pixels go, or come, than with other pixels.",
        "sanity",
    ),
)


def labs() -> dict[str, list[Claim]]:
    """Every lab that is built, in the lecture's order, with the claims that it shows.

    Those with claims beyond the lecture come last.

    >>> [claim.id for claim in labs()["losses"]]
    ['L12', 'L14']
    """
    found: dict[str, list[Claim]] = {}
    for claim in (*CLAIMS, *BEYOND):
        if claim.lab is not None:
            found.setdefault(claim.lab, []).append(claim)
    return found
